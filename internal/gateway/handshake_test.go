package gateway

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/auth"
	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/hub"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/sessions"
)

// gatewayOf is a gateway with this configuration over an empty state directory.
func gatewayOf(t testing.TB, text string) *Gateway {
	t.Helper()
	g, err := New(Options{Config: configOf(t, text), Log: slog.New(slog.DiscardHandler), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.engine.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

func configOf(t testing.TB, text string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	cfg, _, err := config.Parse(text, config.Options{Path: filepath.Join(dir, "parley.json"), StateDir: dir, HomeDir: dir, WorkDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// doorOf is a gateway that can do no more than judge handshakes: compiling the
// schemas would take most of the time of the tables below.
func doorOf(t testing.TB, text string) *Gateway {
	t.Helper()
	g := &Gateway{
		live: config.NewLive(configOf(t, text)), log: slog.New(slog.DiscardHandler), version: "test", started: time.Now(),
		hub: hub.New(), conns: map[string]*conn{}, presence: newPresence("test"),
	}
	g.health = newHealth(g)
	g.measure()
	var err error
	if g.stores, err = sessions.OpenStores(sessions.Options{Config: g.cfg(), Log: g.log}); err != nil {
		t.Fatal(err)
	}
	if err := g.openGate(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		g.gate.close()
		if err := g.stores.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// stranger is a client before its connect, as a test describes it.
type stranger struct {
	header http.Header
	host   string // default 127.0.0.1:1
	peer   string // default 127.0.0.1
	client protocol.Client
	role   string
	scopes []string
	auth   *protocol.Credentials
	key    ed25519.PrivateKey // nil for no device
	spoil  func(*protocol.ConnectParams)
}

const testToken = "secret-token"

var allScopes = []string{"operator.admin", "operator.read", "operator.write", "operator.approvals", "operator.pairing"}

var (
	cliClient     = protocol.Client{ID: "cli", Version: "1", Platform: "linux", Mode: "cli"}
	uiClient      = protocol.Client{ID: "openclaw-control-ui", Version: "1", Platform: "web", Mode: "webchat"}
	webchatClient = protocol.Client{ID: "webchat-ui", Version: "1", Platform: "web", Mode: "webchat"}
	backendClient = protocol.Client{ID: "gateway-client", Version: "1", Platform: "linux", Mode: "backend"}
)

// keyOf is the device key number n: the same in every run.
func keyOf(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(slices.Repeat([]byte{n}, ed25519.SeedSize))
}

func deviceIDOf(n byte) string { return auth.DeviceID(keyOf(n).Public().(ed25519.PublicKey)) }

// cli is a command line on this machine with device n and the right token.
func cli(n byte, change ...func(*stranger)) stranger {
	s := stranger{client: cliClient, scopes: allScopes, auth: &protocol.Credentials{Token: new(testToken)}, key: keyOf(n)}
	for _, f := range change {
		f(&s)
	}
	return s
}

func as(c protocol.Client) func(*stranger) { return func(s *stranger) { s.client = c } }
func asking(scopes ...string) func(*stranger) {
	return func(s *stranger) { s.scopes = scopes }
}
func deviceless(s *stranger) { s.key = nil }
func offering(c protocol.Credentials) func(*stranger) {
	return func(s *stranger) { s.auth = &c }
}
func with(pairs ...string) func(*stranger) {
	return func(s *stranger) {
		s.header = http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			s.header.Add(pairs[i], pairs[i+1])
		}
	}
}

var (
	badToken    = offering(protocol.Credentials{Token: new("bad")})
	noToken     = offering(protocol.Credentials{})
	localPage   = with("Origin", "http://localhost:5173")
	fromFar     = with("X-Forwarded-For", "203.0.113.9")
	asNode      = func(s *stranger) { s.role = "node" }
	brokenProof = func(s *stranger) {
		s.spoil = func(p *protocol.ConnectParams) { p.Device.Signature = "AAAA" }
	}
)

// arrive makes the connection and its connect params, signed.
func (s stranger) arrive() (*conn, protocol.ConnectParams) {
	host, peer := s.host, s.peer
	if host == "" {
		host = "127.0.0.1:1"
	}
	if peer == "" {
		peer = "127.0.0.1"
	}
	c := &conn{
		id: "conn-1", nonce: "nonce-1", opened: time.Now(), header: s.header, host: host,
		peer: netip.AddrPortFrom(netip.MustParseAddr(peer), 1234), in: newInbox(1 << 20), out: newOutbox(1 << 20),
	}
	p := protocol.ConnectParams{MinProtocol: 3, MaxProtocol: 3, Client: s.client, Role: s.role, Scopes: s.scopes, Auth: s.auth}
	if s.key != nil {
		p.Device = s.prove(c.nonce, p)
	}
	if s.spoil != nil {
		s.spoil(&p)
	}
	return c, p
}

func (s stranger) prove(nonce string, p protocol.ConnectParams) *protocol.Device {
	public := s.key.Public().(ed25519.PublicKey)
	d := &protocol.Device{
		ID: auth.DeviceID(public), PublicKey: base64.RawURLEncoding.EncodeToString(public),
		SignedAt: protocol.Int(time.Now().UnixMilli()), Nonce: nonce,
	}
	signedAt, err := d.SignedAt.MarshalJSON()
	if err != nil {
		panic(err)
	}
	text := strings.Join([]string{"v3", d.ID, s.client.ID, s.client.Mode, p.ResolvedRole(), strings.Join(s.scopes, ","),
		string(signedAt), auth.SignedToken(s.auth), nonce, s.client.Platform, s.client.DeviceFamily}, "|")
	d.Signature = base64.RawURLEncoding.EncodeToString(ed25519.Sign(s.key, []byte(text)))
	return d
}

// outcome is the end of a handshake in one line: "ok <scopes>" or the refusal.
func (g *Gateway) outcome(s stranger) (string, *conn) {
	c, p := s.arrive()
	_, no := g.handshake(c, p)
	if no == nil {
		return strings.TrimSpace("ok " + strings.Join(c.scopes.Names(), " ")), c
	}
	details, err := rawjson.Parse(no.err.Details)
	if err != nil {
		return no.err.Message, c
	}
	code, reason := details.Text("code"), details.Text("reason")
	return strings.TrimSpace(code + " " + reason + details.Text("authReason")), c
}

const (
	tokenMode    = `{gateway: {auth: {mode: "token", token: "secret-token"}, controlUi: {allowedOrigins: ["https://ui.example"]}}, parley: {deviceless: "never"}}`
	passwordMode = `{gateway: {auth: {mode: "password", password: "secret-token"}}, parley: {deviceless: "never"}}`
	noneMode     = `{gateway: {auth: {mode: "none"}}}`
	insecureMode = `{gateway: {auth: {mode: "token", token: "secret-token"}, controlUi: {allowInsecureAuth: true, allowedOrigins: ["https://ui.example"]}}, parley: {deviceless: "never"}}`
	disabledMode = `{gateway: {auth: {mode: "token", token: "secret-token"}, controlUi: {dangerouslyDisableDeviceAuth: true}}, parley: {deviceless: "never"}}`
	proxiedMode  = `{gateway: {trustedProxies: ["127.0.0.1"], auth: {mode: "trusted-proxy", trustedProxy: {userHeader: "X-User"}}, controlUi: {allowedOrigins: ["https://ui.example"]}}}`
)

const all = "ok operator.admin operator.read operator.write operator.approvals operator.pairing"

// TestHandshake has the order of the checks and the rules for clients without
// a device: one line, one way to come in or not.
func TestHandshake(t *testing.T) {
	proxied := with("X-User", "ann")
	proxiedPage := with("X-User", "ann", "Origin", "https://ui.example")
	for name, tc := range map[string]struct {
		config string
		who    stranger
		want   string
	}{
		"device and token":       {tokenMode, cli(1), all},
		"asked scopes are kept":  {tokenMode, cli(1, asking("operator.read", "custom")), "ok operator.read custom"},
		"no scopes asked":        {tokenMode, cli(1, asking()), "ok"},
		"node":                   {tokenMode, cli(1, asNode, asking()), "ok"},
		"role before all others": {tokenMode, cli(1, func(s *stranger) { s.role = "admin" }, badToken, brokenProof, with("Origin", "null")), "invalid role"},
		"origin before secret":   {tokenMode, cli(1, badToken, brokenProof, with("Origin", "https://evil.test")), "CONTROL_UI_ORIGIN_NOT_ALLOWED origin not allowed"},
		"origin null":            {tokenMode, cli(1, with("Origin", "null")), "CONTROL_UI_ORIGIN_NOT_ALLOWED origin missing or invalid"},
		"Control UI, no origin":  {tokenMode, cli(1, as(uiClient)), "CONTROL_UI_ORIGIN_NOT_ALLOWED origin missing or invalid"},
		"webchat, no origin":     {tokenMode, cli(1, as(webchatClient)), "CONTROL_UI_ORIGIN_NOT_ALLOWED origin missing or invalid"},
		"proof before secret":    {tokenMode, cli(1, badToken, brokenProof), "DEVICE_AUTH_SIGNATURE_INVALID device-signature"},
		"secret before pairing":  {tokenMode, cli(1, badToken, fromFar), "AUTH_TOKEN_MISMATCH token_mismatch"},
		"no token":               {tokenMode, cli(1, noToken), "AUTH_TOKEN_MISSING token_missing"},
		"wrong device token":     {tokenMode, cli(1, offering(protocol.Credentials{DeviceToken: new("x")})), "AUTH_DEVICE_TOKEN_MISMATCH device_token_mismatch"},
		"wrong bootstrap token":  {tokenMode, cli(1, offering(protocol.Credentials{BootstrapToken: new("x")})), "AUTH_BOOTSTRAP_TOKEN_INVALID bootstrap_token_invalid"},
		"remote must be paired":  {tokenMode, cli(1, fromFar), "PAIRING_REQUIRED not-paired"},
		"foreign Host is remote": {tokenMode, cli(1, func(s *stranger) { s.host = "gw.example" }), "PAIRING_REQUIRED not-paired"},
		"other page is asked":    {tokenMode, cli(1, localPage), "PAIRING_REQUIRED not-paired"},
		"local Control UI":       {tokenMode, cli(1, as(uiClient), localPage), all},
		"local webchat":          {tokenMode, cli(1, as(webchatClient), localPage), all},
		"listed Control UI, far": {tokenMode, cli(1, as(uiClient), with("Origin", "https://ui.example", "X-Forwarded-For", "203.0.113.9")), "PAIRING_REQUIRED not-paired"},
		"local backend":          {tokenMode, cli(1, as(backendClient)), all},
		"remote backend":         {tokenMode, cli(1, as(backendClient), fromFar), "PAIRING_REQUIRED not-paired"},
		"backend page":           {tokenMode, cli(1, as(backendClient), localPage), "PAIRING_REQUIRED not-paired"},

		"deviceless, right token":   {tokenMode, cli(1, deviceless), "ok"},
		"deviceless, wrong token":   {tokenMode, cli(1, deviceless, badToken), "AUTH_TOKEN_MISMATCH token_mismatch"},
		"deviceless, no token":      {tokenMode, cli(1, deviceless, noToken), "DEVICE_IDENTITY_REQUIRED"},
		"deviceless, no auth":       {tokenMode, cli(1, deviceless, func(s *stranger) { s.auth = nil }), "DEVICE_IDENTITY_REQUIRED"},
		"deviceless, blank token":   {tokenMode, cli(1, deviceless, offering(protocol.Credentials{Token: new("  ")})), "AUTH_TOKEN_MISSING token_missing"},
		"deviceless, device token":  {tokenMode, cli(1, deviceless, offering(protocol.Credentials{DeviceToken: new("x")})), "DEVICE_IDENTITY_REQUIRED"},
		"deviceless node":           {tokenMode, cli(1, deviceless, asNode), "DEVICE_IDENTITY_REQUIRED"},
		"deviceless, password":      {passwordMode, cli(1, deviceless, offering(protocol.Credentials{Password: new(testToken)})), "ok"},
		"deviceless, none":          {noneMode, cli(1, deviceless), "DEVICE_IDENTITY_REQUIRED"},
		"deviceless Control UI":     {tokenMode, cli(1, deviceless, as(uiClient), localPage), "CONTROL_UI_DEVICE_IDENTITY_REQUIRED"},
		"the same, wrong token":     {tokenMode, cli(1, deviceless, as(uiClient), localPage, badToken), "CONTROL_UI_DEVICE_IDENTITY_REQUIRED"},
		"none, device":              {noneMode, cli(1, noToken), all},
		"none, remote":              {noneMode, cli(1, noToken, fromFar), "PAIRING_REQUIRED not-paired"},
		"none, Control UI":          {noneMode, cli(1, as(uiClient), localPage, noToken), all},
		"none, Control UI as node":  {noneMode, cli(1, as(uiClient), localPage, noToken, asNode, asking()), "ok"},
		"none, no device, UI":       {noneMode, cli(1, deviceless, as(uiClient), localPage), "CONTROL_UI_DEVICE_IDENTITY_REQUIRED"},
		"insecure Control UI":       {insecureMode, cli(1, deviceless, as(uiClient), localPage), all},
		"insecure, remote":          {insecureMode, cli(1, deviceless, as(uiClient), with("Origin", "https://ui.example", "X-Forwarded-For", "203.0.113.9")), "CONTROL_UI_DEVICE_IDENTITY_REQUIRED"},
		"insecure, webchat":         {insecureMode, cli(1, deviceless, as(webchatClient), localPage), "ok"},
		"insecure, wrong token":     {insecureMode, cli(1, deviceless, as(uiClient), localPage, badToken), "AUTH_TOKEN_MISMATCH token_mismatch"},
		"insecure, no token":        {insecureMode, cli(1, deviceless, as(uiClient), localPage, noToken), "DEVICE_IDENTITY_REQUIRED"},
		"insecure, node":            {insecureMode, cli(1, deviceless, as(uiClient), localPage, asNode), "DEVICE_IDENTITY_REQUIRED"},
		"disabled, no device":       {disabledMode, cli(1, deviceless, as(uiClient), localPage), all},
		"disabled, device ignored":  {disabledMode, cli(1, as(uiClient), localPage, brokenProof), all},
		"disabled, wrong token":     {disabledMode, cli(1, as(uiClient), localPage, badToken), "AUTH_TOKEN_MISMATCH token_mismatch"},
		"disabled, no token":        {disabledMode, cli(1, as(uiClient), localPage, noToken), "AUTH_TOKEN_MISSING token_missing"},
		"disabled, node":            {disabledMode, cli(1, as(uiClient), localPage, asNode), "DEVICE_IDENTITY_REQUIRED"},
		"disabled, other client":    {disabledMode, cli(1, deviceless), "ok"},
		"proxy, no user":            {proxiedMode, cli(1), "AUTH_UNAUTHORIZED trusted_proxy_user_missing"},
		"proxy, device":             {proxiedMode, cli(1, proxied), "PAIRING_REQUIRED not-paired"},
		"proxy, no device":          {proxiedMode, cli(1, deviceless, proxied), "ok"},
		"proxy, UI without device":  {proxiedMode, cli(1, deviceless, as(uiClient), proxiedPage), "ok"},
		"proxy, UI with device":     {proxiedMode, cli(1, as(uiClient), proxiedPage), all},
		"proxy, UI as node":         {proxiedMode, cli(1, deviceless, as(uiClient), proxiedPage, asNode), "CONTROL_UI_DEVICE_IDENTITY_REQUIRED"},
		"proxy, UI, not authorised": {proxiedMode, cli(1, as(uiClient), with("Origin", "https://ui.example")), "AUTH_UNAUTHORIZED trusted_proxy_user_missing"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, _ := doorOf(t, tc.config).outcome(tc.who); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// parley.deviceless says who without a device keeps the scopes asked for.
func TestDevicelessScopes(t *testing.T) {
	elsewhere := func(s *stranger) { s.peer = "203.0.113.9" }
	password := offering(protocol.Credentials{Password: new(testToken)})
	for name, tc := range map[string]struct {
		auth                    string // of gateway.auth
		who                     stranger
		loopback, never, always bool // keeps the scopes
	}{
		"local":             {`mode: "token", token: "secret-token"`, cli(1, deviceless), true, false, true},
		"local, password":   {`mode: "password", password: "secret-token"`, cli(1, deviceless, password), true, false, true},
		"local page":        {`mode: "token", token: "secret-token"`, cli(1, deviceless, localPage), false, false, false},
		"local webchat":     {`mode: "token", token: "secret-token"`, cli(1, deviceless, as(webchatClient), localPage), false, false, false},
		"behind a proxy":    {`mode: "token", token: "secret-token"`, cli(1, deviceless, fromFar), false, false, true},
		"foreign Host":      {`mode: "token", token: "secret-token"`, cli(1, deviceless, func(s *stranger) { s.host = "rebound.test" }), false, false, true},
		"from elsewhere":    {`mode: "token", token: "secret-token"`, cli(1, deviceless, elsewhere), false, false, true},
		"trusted proxy":     {`mode: "trusted-proxy", trustedProxy: {userHeader: "X-User"}`, cli(1, deviceless, with("X-User", "ann")), false, false, false},
		"device is another": {`mode: "token", token: "secret-token"`, cli(1), true, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			for policy, want := range map[string]bool{"": tc.loopback, "loopback": tc.loopback, "never": tc.never, "always": tc.always} {
				parley := ""
				if policy != "" {
					parley = `, parley: {deviceless: "` + policy + `"}`
				}
				trusted := ""
				if strings.Contains(tc.auth, "trusted-proxy") {
					trusted = `trustedProxies: ["127.0.0.1"], `
				}
				g := doorOf(t, `{gateway: {`+trusted+`auth: {`+tc.auth+`}}`+parley+`}`)
				got, c := g.outcome(tc.who)
				if !strings.HasPrefix(got, "ok") || (len(c.scopes.Names()) > 0) != want {
					t.Errorf("%q: %s, want scopes kept: %v", policy, got, want)
				}
			}
		})
	}
}

func TestDevicelessNeverInModeNone(t *testing.T) {
	g := doorOf(t, `{gateway: {auth: {mode: "none"}}, parley: {deviceless: "always"}}`)
	if got, _ := g.outcome(cli(1, deviceless)); got != "DEVICE_IDENTITY_REQUIRED" {
		t.Errorf("got %s", got)
	}
}

func TestProtocolVersions(t *testing.T) {
	for _, tc := range []struct {
		offered  string
		min, max protocol.Int
		want     int // 0 when there is none in common
	}{
		{"", 3, 3, 3}, {"", 3, 4, 4}, {"", 4, 9, 4}, {"", 1, 99, 4}, {"", 1, 2, 0}, {"", 5, 5, 0}, {"", 4, 3, 0},
		{"[3]", 1, 99, 3}, {"[3]", 4, 4, 0}, {"[4, 3]", 3, 4, 4}, {"[4]", 3, 3, 0},
	} {
		parley := ""
		if tc.offered != "" {
			parley = ", parley: {protocols: " + tc.offered + "}"
		}
		g := doorOf(t, `{gateway: {auth: {mode: "token", token: "secret-token"}}`+parley+`}`)
		c, p := cli(1).arrive()
		p.MinProtocol, p.MaxProtocol = tc.min, tc.max
		hello, no := g.handshake(c, p)
		if tc.want == 0 {
			if no == nil || no.status != websocket.StatusProtocolError || no.reason != "protocol mismatch" || string(no.err.Details) != `{"expectedProtocol":3}` {
				t.Errorf("%s for %d-%d: %+v, want a mismatch", tc.offered, tc.min, tc.max, no)
			}
			continue
		}
		if no != nil {
			t.Errorf("%s for %d-%d: %v", tc.offered, tc.min, tc.max, no.err)
			continue
		}
		if hello.Protocol != tc.want || c.protocol != tc.want || (hello.PluginSurfaceURLs != nil) != (tc.want >= 4) {
			t.Errorf("%s for %d-%d: protocol %d, surfaces %s", tc.offered, tc.min, tc.max, hello.Protocol, hello.PluginSurfaceURLs)
		}
	}
}

func TestHello(t *testing.T) {
	g := doorOf(t, tokenMode)
	c, p := cli(1, func(s *stranger) {
		s.client = protocol.Client{ID: "test", Version: "1", Platform: "linux", Mode: "test", DisplayName: "Bench"}
	}).arrive()
	p.Caps = []string{"tool-events"}
	hello, no := g.handshake(c, p)
	if no != nil {
		t.Fatal(no.err)
	}
	if hello.Auth == nil || len(hello.Auth.DeviceToken) != 43 || hello.Auth.Role != "operator" || hello.Auth.IssuedAtMs == 0 {
		t.Error("hello has no device token")
	}
	want := []string{"operator.admin", "operator.approvals", "operator.pairing", "operator.read", "operator.write"}
	if d := cmp.Diff(want, hello.Auth.Scopes); d != "" {
		t.Errorf("scopes of the token (-want +got):\n%s", d)
	}
	if hello.Type != "hello-ok" || hello.Protocol != 3 || hello.Server.ConnID != c.id || hello.Server.Version != "test" || hello.PluginSurfaceURLs != nil {
		t.Errorf("hello %+v", hello.Server)
	}
	if hello.Snapshot.StateDir == "" || hello.Snapshot.AuthMode != "token" || len(hello.Snapshot.Presence) != 2 {
		t.Errorf("snapshot %+v", hello.Snapshot)
	}
	if c.deviceID != deviceIDOf(1) || c.role != "operator" || !slices.Contains(c.caps, "tool-events") || c.client.DisplayName != "Bench" || c.remoteIP != "" {
		t.Errorf("connection %+v", c.client)
	}
}

// Who may not read learns neither who is there nor where the files lie.
func TestHelloForThoseWhoMayNotRead(t *testing.T) {
	g := doorOf(t, tokenMode)
	for name, s := range map[string]stranger{
		"no device": cli(1, deviceless), "no scopes": cli(2, asking()),
		"pairing only": cli(3, asking("operator.pairing")), "node": cli(4, asNode, asking("operator.read")),
	} {
		c, p := s.arrive()
		hello, no := g.handshake(c, p)
		if no != nil {
			t.Fatalf("%s: %v", name, no.err)
		}
		text := string(rawjson.MustMarshal(hello.Snapshot))
		if len(hello.Snapshot.Presence) != 0 || strings.Contains(text, g.cfg().StateDir) || strings.Contains(text, "agents") {
			t.Errorf("%s: %s", name, text)
		}
		if s.key == nil && hello.Auth != nil {
			t.Errorf("%s: a token was issued", name)
		}
	}
}

// The device token of one hello opens the next connection, and only that
// device's.
func TestDeviceTokenOpensTheNextConnection(t *testing.T) {
	g := doorOf(t, tokenMode)
	c, p := cli(1, asking("operator.read")).arrive()
	hello, no := g.handshake(c, p)
	if no != nil {
		t.Fatal(no.err)
	}
	token := hello.Auth.DeviceToken
	for name, tc := range map[string]struct {
		who  stranger
		want string
	}{
		"as device token":  {cli(1, asking("operator.read"), offering(protocol.Credentials{DeviceToken: &token})), "ok operator.read"},
		"as token":         {cli(1, asking("operator.read"), offering(protocol.Credentials{Token: &token})), "ok operator.read"},
		"asking for more":  {cli(1, offering(protocol.Credentials{DeviceToken: &token})), "AUTH_DEVICE_TOKEN_MISMATCH device_token_mismatch"},
		"without a device": {cli(1, deviceless, offering(protocol.Credentials{Token: &token})), "AUTH_TOKEN_MISMATCH token_mismatch"},
		"other device":     {cli(2, asking("operator.read"), offering(protocol.Credentials{DeviceToken: &token})), "AUTH_DEVICE_TOKEN_MISMATCH device_token_mismatch"},
	} {
		if got, _ := g.outcome(tc.who); got != tc.want {
			t.Errorf("%s: got %s, want %s", name, got, tc.want)
		}
	}
}

func TestCanRetryWithDeviceToken(t *testing.T) {
	for name, tc := range map[string]struct {
		who  stranger
		want bool
	}{
		"wrong token":              {cli(1, badToken), true},
		"without device":           {cli(1, deviceless, badToken), false},
		"missing token":            {cli(1, noToken), false},
		"with a password":          {cli(1, offering(protocol.Credentials{Token: new("bad"), Password: new("x")})), false},
		"with a device token":      {cli(1, offering(protocol.Credentials{Token: new("bad"), DeviceToken: new("x")})), false},
		"with blank other secrets": {cli(1, offering(protocol.Credentials{Token: new("bad"), DeviceToken: new("")})), true},
	} {
		c, p := tc.who.arrive()
		_, no := doorOf(t, tokenMode).handshake(c, p)
		if no == nil {
			t.Fatalf("%s: let in", name)
		}
		details, err := rawjson.Parse(no.err.Details)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, _ := rawjson.Bool(details.Get("canRetryWithDeviceToken")); got != tc.want || (details.Text("recommendedNextStep") == "retry_with_device_token") != tc.want {
			t.Errorf("%s: %s", name, no.err.Details)
		}
	}
}

// Platform and family count as approved, whatever the connection spells.
func TestApprovedPlatformIsPinned(t *testing.T) {
	g := doorOf(t, tokenMode)
	g.outcome(cli(1))
	_, c := g.outcome(cli(1, func(s *stranger) {
		s.client.Platform = "LINUX"
		s.spoil = func(p *protocol.ConnectParams) {
			s.client.Platform = "linux"
			p.Device = s.prove("nonce-1", *p)
		}
	}))
	if c.client.Platform != "linux" {
		t.Errorf("platform %q", c.client.Platform)
	}
}

// ear hears what the hub tells a connection with these scopes.
type ear struct {
	scopes []string
	heard  [][]byte
}

func (e *ear) Scopes() protocol.ScopeSet { return protocol.NewScopeSet(e.scopes...) }
func (e *ear) Role() string              { return protocol.RoleOperator }
func (e *ear) Protocol() int             { return 3 }
func (e *ear) Deliver(f *hub.Frame)      { e.heard = append(e.heard, f.Open) }
func (e *ear) take() string {
	text := string(bytes.Join(e.heard, []byte("\n")))
	e.heard = nil
	return text
}

// A silent approval tells of the resolution only, a request that waits of the
// request, once; both only those who may pair.
func TestPairingEvents(t *testing.T) {
	g := doorOf(t, tokenMode)
	pairer, reader := &ear{scopes: []string{"operator.pairing"}}, &ear{scopes: []string{"operator.read"}}
	g.hub.Add("pairer", pairer)
	g.hub.Add("reader", reader)
	g.outcome(cli(1))
	if got := pairer.take(); strings.Count(got, `"event":`) != 1 || !strings.Contains(got, `"device.pair.resolved"`) || !strings.Contains(got, `"decision":"approved"`) {
		t.Errorf("silent approval told %s", got)
	}
	g.outcome(cli(2, fromFar))
	if got := pairer.take(); strings.Count(got, `"event":`) != 1 || !strings.Contains(got, `"device.pair.requested"`) || !strings.Contains(got, deviceIDOf(2)) {
		t.Errorf("a request told %s", got)
	}
	g.outcome(cli(2, fromFar))
	if got := pairer.take(); got != "" {
		t.Errorf("the same request again told %s", got)
	}
	if got := reader.take(); got != "" {
		t.Errorf("a reader was told %s", got)
	}
}

// When nobody knows who is paired, nobody is let in, and a stranger does not
// learn why.
func TestHandshakeWithBrokenDeviceFiles(t *testing.T) {
	g := doorOf(t, tokenMode)
	if err := makeDir(filepath.Join(g.cfg().StateDir, "devices", "paired.json")); err != nil {
		t.Fatal(err)
	}
	for _, s := range []stranger{cli(1), cli(1, badToken)} {
		c, p := s.arrive()
		_, no := g.handshake(c, p)
		if no == nil || no.err.Code != protocol.Unavailable || strings.Contains(no.err.Message, g.cfg().StateDir) {
			t.Errorf("refusal %+v", no)
		}
	}
}

// FuzzConnectDevice sends arbitrary device fields and credentials through the
// schema and the handshake: no panic, and no way in.
func FuzzConnectDevice(f *testing.F) {
	f.Add(`{"id":"a","publicKey":"b","signature":"c","signedAt":1,"nonce":"nonce-1"}`, `{"token":"bad"}`)
	f.Add(`{"id":"","publicKey":"-----BEGIN","signature":"==","signedAt":1e300,"nonce":" "}`, `{}`)
	f.Add(`null`, `{"deviceToken":"x","bootstrapToken":"y","password":""}`)
	f.Add(`{"id":"a","id":"b","publicKey":"\ud800","signature":"c","signedAt":-0,"nonce":"n"}`, `{"token":"a","token":"b"}`)
	g := gatewayOf(f, `{gateway: {auth: {mode: "token", token: "secret-token"}}, parley: {throttleLoopback: false}}`)
	f.Fuzz(func(t *testing.T, device, credentials string) {
		params := rawjson.Value(`{"minProtocol":3,"maxProtocol":3,"client":{"id":"cli","version":"1","platform":"linux","mode":"cli"},"device":` + device + `,"auth":` + credentials + `}`)
		if !rawjson.Valid(params) || g.validator.Params("connect", params) != "" {
			return
		}
		var p protocol.ConnectParams
		if err := rawjson.Unmarshal(params, &p); err != nil {
			t.Fatalf("valid params do not decode: %v", err)
		}
		if p.Auth.Token != nil && strings.TrimSpace(*p.Auth.Token) == testToken {
			return
		}
		c, _ := cli(1).arrive()
		if hello, no := g.handshake(c, p); no == nil {
			t.Fatalf("let in: %+v", hello)
		} else if len(no.reason) > 120 {
			t.Fatalf("close reason of %d bytes", len(no.reason))
		}
	})
}
