package auth

import (
	"slices"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// The reasons for which a device needs approval.
const (
	notPaired       = "not-paired"
	metadataUpgrade = "metadata-upgrade"
	roleUpgrade     = "role-upgrade"
	scopeUpgrade    = "scope-upgrade"
)

// Visitor is a device at the end of its handshake: its key is proven and its
// credentials were accepted.
type Visitor struct {
	Claim
	Client   protocol.Client
	RemoteIP string // as reported, "" for none
	// Silent visitors are approved without asking where that is enough.
	Silent bool
	// Unpaired visitors need no pairing; they may still have a record.
	Unpaired bool
}

// Admission is the outcome for a Visitor.
type Admission struct {
	// Refused is nil when the device may come in.
	Refused *PairingRefusal
	// Resolved is the request that was approved silently, nil when none was.
	Resolved *Resolution
	// Client is the visitor's client with platform and device family as they
	// were approved.
	Client protocol.Client
	// Token is the device's token for its role, nil when it gets none.
	Token *IssuedToken
}

// PairingRefusal says what a device that may not come in waits for.
type PairingRefusal struct {
	RequestID string
	Reason    string
	// Requested is the payload of device.pair.requested, nil when the request
	// was told before.
	Requested rawjson.Value
}

// Admit applies the rules of pairing to a device and issues its token.
func (d *Devices) Admit(v Visitor) (Admission, error) {
	var a Admission
	err := d.update(func(s *state) error {
		a = s.admit(v)
		return nil
	})
	return a, err
}

func (s *state) admit(v Visitor) Admission {
	a := Admission{Client: v.Client}
	if !v.Unpaired {
		if reason := s.need(v); reason != "" && !s.settle(v, reason, &a) {
			return a
		}
		r, _ := s.device(v.DeviceID)
		r.recordVisit(v)
		s.setDevice(v.DeviceID, r)
		pin(&a.Client.Platform, r.Text("platform"))
		pin(&a.Client.DeviceFamily, r.Text("deviceFamily"))
	}
	a.Token = s.issue(v.Claim)
	return a
}

func pin(field *string, approved string) {
	if approved != "" {
		*field = approved
	}
}

// need is the first reason why the visitor needs approval, or "".
func (s *state) need(v Visitor) string {
	r, ok := s.device(v.DeviceID)
	scopes, recorded := r.scopes()
	switch {
	case !ok || r.Text("publicKey") != v.PublicKey:
		return notPaired
	case differs(r.Text("platform"), v.Client.Platform), differs(r.Text("deviceFamily"), v.Client.DeviceFamily):
		return metadataUpgrade
	case !slices.Contains(r.roles(), v.Role):
		return roleUpgrade
	case len(union(v.Scopes)) > 0 && (!recorded || !ScopesWithin(v.Role, v.Scopes, scopes)):
		return scopeUpgrade
	}
	return ""
}

// differs reports whether a client claims something else than was approved.
func differs(approved, claimed string) bool {
	return plain(approved) != "" && plain(approved) != plain(claimed)
}

// settle asks for the approval of a visitor, and gives it where silence is
// enough. It reports whether the visitor may come in.
func (s *state) settle(v Visitor, reason string, a *Admission) bool {
	silent := v.Silent && (reason == notPaired || reason == scopeUpgrade)
	r, isNew := s.request(v, silent)
	if silent, _ = rawjson.Bool(r.Get("silent")); silent {
		s.approve(r)
		a.Resolved = &Resolution{RequestID: r.Text("requestId"), DeviceID: v.DeviceID, Decision: "approved", TS: s.now}
		return true
	}
	a.Refused = &PairingRefusal{RequestID: r.Text("requestId"), Reason: reason}
	if isNew {
		a.Refused.Requested = r.JSON()
	}
	return false
}

// recordVisit keeps what the record shows of the last connection.
func (r *record) recordVisit(v Visitor) {
	put(&r.Object, "displayName", v.Client.DisplayName)
	put(&r.Object, "clientId", v.Client.ID)
	put(&r.Object, "clientMode", v.Client.Mode)
	put(&r.Object, "remoteIp", v.RemoteIP)
	r.Put("role", v.Role)
	r.Put("roles", union(r.roles(), []string{v.Role}))
	if scopes, recorded := r.scopes(); recorded || len(union(v.Scopes)) > 0 {
		r.Put("scopes", union(scopes, v.Scopes))
	}
}
