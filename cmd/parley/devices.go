package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/parleyd/parley/client"
	"github.com/parleyd/parley/internal/rawjson"
)

// devicesCommands are `parley devices …`.
type devicesCommands struct {
	List    devicesListCommand    `cmd:"" default:"withargs" help:"List the devices that wait to be let in, and those that were (the default)."`
	Approve devicesApproveCommand `cmd:"" help:"Let a device in that waits."`
	Reject  devicesRejectCommand  `cmd:"" help:"Refuse a device that waits."`
	Remove  devicesRemoveCommand  `cmd:"" help:"Forget a device and end its connections."`
	Rotate  devicesRotateCommand  `cmd:"" help:"Give a device a new token in the place of its old one, and print it."`
	Revoke  devicesRevokeCommand  `cmd:"" help:"Take a device its token and end its connections."`
}

// devicesListCommand is `parley devices list`.
type devicesListCommand struct{ work }

// Run prints two tables.
func (c *devicesListCommand) Run(s streams) error {
	return c.do(s, func(ctx context.Context, conn *client.Conn) error {
		list, raw, err := fetch(ctx, conn, client.DevicePairList, client.None{})
		if err != nil {
			return err
		}
		if c.JSON {
			return printPayload(s.out, raw, true)
		}
		return printDevices(s, list, time.Now())
	})
}

func printDevices(s streams, list client.DevicePairListResult, now time.Time) error {
	if len(list.Pending)+len(list.Paired) == 0 {
		_, err := fmt.Fprintln(s.out, "No devices.")
		return err
	}
	l := lookOf(s.out)
	if len(list.Pending) > 0 {
		fmt.Fprintln(s.out, l.in(bold, "Waiting"))
		t := table{columns: []column{{title: "REQUEST"}, {title: "NAME", give: fromEnd}, {title: "PLATFORM"}, {title: "ADDRESS"}, {title: "ROLE"}, {title: "SCOPES", give: fromEnd}, {title: "SINCE"}}}
		for _, p := range list.Pending {
			t.add(p.RequestID, named(p.DisplayName, p.ClientID), p.Platform, p.RemoteIP, p.Role, scopes(p.Scopes), ago(now.Sub(time.UnixMilli(p.TS))))
		}
		if err := t.print(s.out, l); err != nil || len(list.Paired) == 0 {
			return err
		}
		fmt.Fprintln(s.out)
	}
	fmt.Fprintln(s.out, l.in(bold, "Let in"))
	t := table{columns: []column{{title: "DEVICE"}, {title: "NAME", give: fromEnd}, {title: "PLATFORM"}, {title: "ROLES"}, {title: "SCOPES", give: fromEnd}, {title: "TOKEN"}, {title: "USED"}}}
	for _, d := range list.Paired {
		token, used := tokenState(d.Tokens, now)
		t.add(shortID(d.DeviceID), named(d.DisplayName, d.ClientID), d.Platform, strings.Join(rolesOf(d), ","), scopes(d.Scopes), token, used)
	}
	return t.print(s.out, l)
}

// shownID is how much of a device id a table shows: enough to name it.
const shownID = 12

func shortID(id string) string { return id[:min(len(id), shownID)] }

func named(name, client string) string {
	if name == "" {
		return client
	}
	return name
}

func rolesOf(d client.Device) []string {
	if len(d.Roles) > 0 {
		return d.Roles
	}
	return []string{d.Role}
}

// scopes are names of scopes without what they begin with alike.
func scopes(names []string) string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		out = append(out, strings.TrimPrefix(n, "operator."))
	}
	return strings.Join(out, " ")
}

// tokenState is whether a device has a token that holds, and when one was last
// used.
func tokenState(tokens []client.DeviceToken, now time.Time) (state cell, used string) {
	state, used = cell{"none", dim}, "never"
	var last int64
	for _, t := range tokens {
		switch {
		case t.RevokedAtMs == 0:
			state = cell{"yes", green}
		case state.text == "none":
			state = cell{"revoked", yellow}
		}
		last = max(last, t.LastUsedAtMs)
	}
	if last > 0 {
		used = ago(now.Sub(time.UnixMilli(last)))
	}
	return state, used
}

// devicesApproveCommand is `parley devices approve`.
type devicesApproveCommand struct {
	work
	Request string `arg:"" optional:"" help:"The request, or the beginning of its id; may be left out when only one device waits."`
}

// Run approves the request.
func (c *devicesApproveCommand) Run(s streams) error {
	return c.do(s, func(ctx context.Context, conn *client.Conn) error {
		request, err := waiting(ctx, conn, c.Request)
		if err != nil {
			return err
		}
		r, raw, err := fetch(ctx, conn, client.DevicePairApprove, client.DevicePairRequestParams{RequestID: request.RequestID})
		return c.tell(s, raw, err, "Let in: %s (%s), %s.", oneLine(named(r.Device.DisplayName, r.Device.ClientID)), shortID(r.Device.DeviceID), scopes(r.Device.Scopes))
	})
}

// devicesRejectCommand is `parley devices reject`.
type devicesRejectCommand struct {
	work
	Request string `arg:"" optional:"" help:"The request, or the beginning of its id; may be left out when only one device waits."`
}

// Run rejects the request.
func (c *devicesRejectCommand) Run(s streams) error {
	return c.do(s, func(ctx context.Context, conn *client.Conn) error {
		request, err := waiting(ctx, conn, c.Request)
		if err != nil {
			return err
		}
		_, raw, err := fetch(ctx, conn, client.DevicePairReject, client.DevicePairRequestParams{RequestID: request.RequestID})
		return c.tell(s, raw, err, "Refused: %s (%s).", oneLine(named(request.DisplayName, request.ClientID)), shortID(request.DeviceID))
	})
}

// devicesRemoveCommand is `parley devices remove`.
type devicesRemoveCommand struct {
	work
	Device string `arg:"" help:"The device, or the beginning of its id."`
}

// Run removes the device.
func (c *devicesRemoveCommand) Run(s streams) error {
	return c.do(s, func(ctx context.Context, conn *client.Conn) error {
		d, err := known(ctx, conn, c.Device)
		if err != nil {
			return err
		}
		_, raw, err := fetch(ctx, conn, client.DevicePairRemove, client.DevicePairRemoveParams{DeviceID: d.DeviceID})
		return c.tell(s, raw, err, "Removed: %s (%s).", oneLine(named(d.DisplayName, d.ClientID)), shortID(d.DeviceID))
	})
}

// devicesRotateCommand is `parley devices rotate`.
type devicesRotateCommand struct {
	work
	Device string   `arg:"" help:"The device, or the beginning of its id."`
	Role   string   `default:"operator" placeholder:"ROLE" help:"The role that the token is for (default ${default})."`
	Scope  []string `placeholder:"SCOPE" help:"A scope of the new token, such as operator.read; may be given several times (default: those of the old one)."`
}

// Run rotates the token. It alone is on standard output, so that a script can
// take it from there.
func (c *devicesRotateCommand) Run(s streams) error {
	return c.do(s, func(ctx context.Context, conn *client.Conn) error {
		d, err := known(ctx, conn, c.Device)
		if err != nil {
			return err
		}
		r, raw, err := fetch(ctx, conn, client.DeviceTokenRotate, client.DeviceTokenRotateParams{DeviceID: d.DeviceID, Role: c.Role, Scopes: c.Scope})
		if err == nil && !c.JSON {
			fmt.Fprintf(s.err, "The new token of %s (%s), role %s, scopes %s:\n", oneLine(named(d.DisplayName, d.ClientID)), shortID(d.DeviceID), r.Role, scopes(r.Scopes))
		}
		return c.tell(s, raw, err, "%s", r.Token)
	})
}

// devicesRevokeCommand is `parley devices revoke`.
type devicesRevokeCommand struct {
	work
	Device string `arg:"" help:"The device, or the beginning of its id."`
	Role   string `default:"operator" placeholder:"ROLE" help:"The role that the token is for (default ${default})."`
}

// Run revokes the token.
func (c *devicesRevokeCommand) Run(s streams) error {
	return c.do(s, func(ctx context.Context, conn *client.Conn) error {
		d, err := known(ctx, conn, c.Device)
		if err != nil {
			return err
		}
		_, raw, err := fetch(ctx, conn, client.DeviceTokenRevoke, client.DeviceTokenParams{DeviceID: d.DeviceID, Role: c.Role})
		return c.tell(s, raw, err, "Revoked: the %s token of %s (%s).", c.Role, oneLine(named(d.DisplayName, d.ClientID)), shortID(d.DeviceID))
	})
}

// tell prints the answer of a method for programs or in words, or gives err.
func (w work) tell(s streams, raw rawjson.Value, err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	if w.JSON {
		return printPayload(s.out, raw, true)
	}
	_, err = fmt.Fprintf(s.out, format+"\n", args...)
	return err
}

// waiting is the request that a text means.
func waiting(ctx context.Context, conn *client.Conn, text string) (client.PairRequest, error) {
	list, err := client.DevicePairList.Call(ctx, conn, client.None{})
	if err != nil {
		return client.PairRequest{}, err
	}
	what := "request"
	if text == "" && len(list.Pending) != 1 {
		return client.PairRequest{}, fmt.Errorf("%s: name the one that is meant; \"parley devices\" lists them", waitText(len(list.Pending)))
	}
	return meant(what, text, list.Pending, func(p client.PairRequest) string { return p.RequestID })
}

func waitText(n int) string {
	if n == 0 {
		return "no device waits"
	}
	return fmt.Sprintf("%d devices wait", n)
}

// known is the device that a text means.
func known(ctx context.Context, conn *client.Conn, text string) (client.Device, error) {
	list, err := client.DevicePairList.Call(ctx, conn, client.None{})
	if err != nil {
		return client.Device{}, err
	}
	return meant("device", text, list.Paired, func(d client.Device) string { return d.DeviceID })
}

// meant is the one whose id a text is, or is the beginning of.
func meant[T any](what, text string, list []T, id func(T) string) (T, error) {
	var none T
	if i := slices.IndexFunc(list, func(v T) bool { return id(v) == text }); i >= 0 {
		return list[i], nil
	}
	found := slices.DeleteFunc(slices.Clone(list), func(v T) bool { return !strings.HasPrefix(id(v), text) })
	switch len(found) {
	case 0:
		return none, fmt.Errorf("there is no %s %q; \"parley devices\" lists them", what, text)
	case 1:
		return found[0], nil
	}
	return none, fmt.Errorf("%d %ss begin with %q; give more of the id", len(found), what, text)
}
