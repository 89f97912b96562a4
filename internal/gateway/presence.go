package gateway

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/parleyd/parley/internal/hub"
	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

const (
	// presenceAge is how long an entry is listed after its last sign of life.
	presenceAge = 5 * time.Minute
	// presenceLimit is how many entries are kept.
	presenceLimit = 200
)

// presence is who is there: the gateway itself, its clients, and others of
// whom system-event told (spec: protocol 14). It is kept in memory only. All
// methods are safe for concurrent use.
type presence struct {
	self protocol.PresenceEntry

	telling sync.Mutex // held while an event is made and published

	mu      sync.Mutex // guards all below
	version int64
	entries map[string]*present
}

// present is one entry, and how many open connections stand for it: those do
// not age.
type present struct {
	protocol.PresenceEntry
	open int
}

func newPresence(version string) *presence {
	p := &presence{version: 1, entries: map[string]*present{}}
	host, _ := os.Hostname() // an unnamed host shows no name
	self := protocol.PresenceEntry{
		Host: host, IP: ownAddress(), Version: version, Platform: platform(), DeviceFamily: deviceFamily(),
		ModelIdentifier: runtime.GOARCH, Mode: "gateway", Reason: "self",
	}
	self.Text = "Gateway: " + host
	if self.IP != "" {
		self.Text += " (" + self.IP + ")"
	}
	self.Text += " · app " + version + " · mode gateway · reason self"
	p.self = self
	return p
}

// ownAddress is the first IPv4 address of the machine that is not loopback.
func ownAddress() string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	return ""
}

func platform() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return runtime.GOOS
	}
	return runtime.GOOS + " " + strings.TrimSpace(string(release))
}

func deviceFamily() string {
	switch runtime.GOOS {
	case "darwin":
		return "Mac"
	case "windows":
		return "Windows"
	}
	return "Linux"
}

// current is the presence version.
func (p *presence) current() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.version
}

// list is everybody, newest first, the gateway's own entry as of now.
func (p *presence) list() []protocol.PresenceEntry {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	self := p.self
	self.TS = now.UnixMilli()
	list := []protocol.PresenceEntry{self}
	for key, e := range p.entries {
		if e.open == 0 && now.UnixMilli()-e.TS > presenceAge.Milliseconds() {
			delete(p.entries, key)
			continue
		}
		list = append(list, e.PresenceEntry)
	}
	slices.SortFunc(list[1:], func(a, b protocol.PresenceEntry) int {
		return cmp.Or(cmp.Compare(b.TS, a.TS), strings.Compare(a.InstanceID, b.InstanceID))
	})
	return list[:min(len(list), presenceLimit)]
}

// set changes or makes the entry of a key and raises the version.
func (p *presence) set(key string, change func(*present)) {
	key = strings.ToLower(key)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.version++
	e := p.entries[key]
	if e == nil {
		e = &present{}
		p.entries[key] = e
	}
	change(e)
	e.TS = time.Now().UnixMilli()
	if len(p.entries) > 2*presenceLimit {
		p.dropOldest()
	}
}

// dropOldest keeps system-event from filling memory. The mutex is held.
func (p *presence) dropOldest() {
	oldest, at := "", int64(0)
	for key, e := range p.entries {
		if e.open == 0 && (oldest == "" || e.TS < at) {
			oldest, at = key, e.TS
		}
	}
	delete(p.entries, oldest)
}

// presenceConnected enters a connection that passed the handshake; command
// lines come and go and are not shown. No event tells it.
func (g *Gateway) presenceConnected(c *conn) {
	if c.client.CLI() {
		return
	}
	key := cmp.Or(c.deviceID, c.client.InstanceID, c.id)
	c.presenceKey = key
	g.presence.set(key, func(e *present) {
		text := e.Text
		e.PresenceEntry = protocol.PresenceEntry{
			Host: cmp.Or(c.client.DisplayName, c.client.ID), IP: c.remoteIP, Version: c.client.Version,
			Platform: c.client.Platform, DeviceFamily: c.client.DeviceFamily, ModelIdentifier: c.client.ModelIdentifier,
			Mode: c.client.Mode, DeviceID: c.deviceID, InstanceID: cmp.Or(c.deviceID, c.client.InstanceID),
			Roles: union(e.Roles, c.role), Scopes: union(e.Scopes, c.scopes.Names()...), Reason: "connect",
		}
		e.Text = cmp.Or(text, "Node: "+e.Host+" · mode "+e.Mode)
		e.open++
	})
}

// presenceLeft marks a connection that has closed, and tells everybody.
func (g *Gateway) presenceLeft(c *conn) {
	if c.presenceKey == "" {
		return
	}
	g.presence.set(c.presenceKey, func(e *present) {
		e.open--
		e.Reason = "disconnect"
	})
	g.publishPresence()
}

// publishPresence tells everybody who is there. One call at a time: what was
// looked at first must not be told last.
func (g *Gateway) publishPresence() {
	g.presence.telling.Lock()
	defer g.presence.telling.Unlock()
	v := g.stateVersion()
	g.hub.Publish(hub.Event{Name: "presence", To: hub.All(), Policy: hub.DropIfSlow, State: &v,
		Payload: rawjson.MustMarshal(presencePayload{g.presence.list()})})
}

type presencePayload struct {
	Presence []protocol.PresenceEntry `json:"presence"`
}

func union(have []string, more ...string) []string {
	for _, m := range more {
		if !slices.Contains(have, m) {
			have = append(slices.Clip(have), m)
		}
	}
	return have
}

func (g *Gateway) systemPresence(context.Context, *call, rawParams) ([]protocol.PresenceEntry, error) {
	return g.presence.list(), nil
}

type okResult struct {
	OK bool `json:"ok"`
}

// systemEvent tells of somebody who is no client of ours. What the params do
// not say is taken from the text, where it has the usual form.
func (g *Gateway) systemEvent(_ context.Context, c *call, p rawParams) (okResult, error) {
	params, err := rawjson.Parse(p)
	if err != nil {
		return okResult{}, fmt.Errorf("decode params of system-event: %w", err)
	}
	text := jstext.Trim(params.Text("text"))
	if text == "" {
		return okResult{}, protocol.Invalidf("text required")
	}
	told := parsePresenceText(text)
	named := told // a host or address counts as a name only where the text says it
	overlay(&told, params)
	key := cmp.Or(told.DeviceID, told.InstanceID, named.Host, named.IP, jstext.Cut(text, 64))
	g.presence.set(key, func(e *present) {
		merged := e.PresenceEntry
		mergePresence(&merged, told)
		e.PresenceEntry = merged
	})
	c.After(g.publishPresence)
	return okResult{OK: true}, nil
}

// presenceText is the whole of the usual form; a text that lacks a part of it
// is only a text.
var presenceText = regexp.MustCompile(`(?i)^Node:\s*([^ (]+)\s*\(([^)]+)\)\s*·\s*app\s+([^·]+?)\s*·\s*last input\s+(\d+)s ago` +
	`\s*·\s*mode\s+([^·]+?)\s*·\s*reason\s+(.+)$`)

// parsePresenceText reads "Node: <host> (<ip>) · app <v> · last input <n>s ago
// · mode <m> · reason <r>".
func parsePresenceText(text string) protocol.PresenceEntry {
	e := protocol.PresenceEntry{Text: text}
	m := presenceText.FindStringSubmatch(text)
	if m == nil {
		return e
	}
	e.Host, e.IP, e.Version, e.Mode, e.Reason = m[1], m[2], m[3], m[5], m[6]
	if seconds, err := strconv.ParseFloat(m[4], 64); err == nil {
		e.LastInputSeconds = &seconds
	}
	return e
}

// overlay puts the explicit params over what the text said.
func overlay(e *protocol.PresenceEntry, p rawjson.Object) {
	for name, field := range map[string]*string{
		"deviceId": &e.DeviceID, "instanceId": &e.InstanceID, "host": &e.Host, "ip": &e.IP, "mode": &e.Mode,
		"version": &e.Version, "platform": &e.Platform, "deviceFamily": &e.DeviceFamily,
		"modelIdentifier": &e.ModelIdentifier, "reason": &e.Reason,
	} {
		if v := jstext.Trim(p.Text(name)); v != "" {
			*field = v
		}
	}
	if n, ok := rawjson.Number(p.Get("lastInputSeconds")); ok {
		e.LastInputSeconds = &n
	}
	e.Roles, e.Scopes = texts(p.Get("roles")), texts(p.Get("scopes"))
}

// texts are the strings of a list that holds nothing else.
func texts(v rawjson.Value) []string {
	var out []string
	list, _ := rawjson.Array(v)
	for _, one := range list {
		s, ok := rawjson.Text(one)
		if !ok {
			return nil
		}
		if s = jstext.Trim(s); s != "" {
			out = union(out, s)
		}
	}
	return out
}

// mergePresence lets what is told replace what was known; silence keeps it.
func mergePresence(e *protocol.PresenceEntry, told protocol.PresenceEntry) {
	for _, f := range [][2]*string{
		{&e.Host, &told.Host}, {&e.IP, &told.IP}, {&e.Version, &told.Version}, {&e.Platform, &told.Platform},
		{&e.DeviceFamily, &told.DeviceFamily}, {&e.ModelIdentifier, &told.ModelIdentifier}, {&e.Mode, &told.Mode},
		{&e.Reason, &told.Reason}, {&e.Text, &told.Text}, {&e.DeviceID, &told.DeviceID}, {&e.InstanceID, &told.InstanceID},
	} {
		if *f[1] != "" {
			*f[0] = *f[1]
		}
	}
	if told.LastInputSeconds != nil {
		e.LastInputSeconds = told.LastInputSeconds
	}
	e.Roles, e.Scopes = union(e.Roles, told.Roles...), union(e.Scopes, told.Scopes...)
}
