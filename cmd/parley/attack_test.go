package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/gateway"
	"github.com/parleyd/parley/internal/gatewaytest"
	"github.com/parleyd/parley/internal/rawjson"
)

// attacked is a gateway with the daemon's own log, at debug level.
type attacked struct {
	t        *testing.T
	cfg      *config.Config
	listener *gatewaytest.Listener
	http     *http.Client
	logs     func() (stderr, file string)
	stop     func()
}

// attack starts one.
func attack(t *testing.T, format, text string) *attacked {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "parley.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.Load(config.Options{Path: path, StateDir: dir, HomeDir: dir, Env: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	a := &attacked{t: t, cfg: cfg, listener: gatewaytest.NewListener(t)}
	var log *slog.Logger
	log, a.logs = openTestLog(t, format, cfg)
	g, err := gateway.New(gateway.Options{Config: cfg, Log: log, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- g.Serve(ctx, a.listener) }()
	a.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(a.stop)
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return a.listener.Dial(ctx, netip.MustParseAddrPort("127.0.0.1:5000"))
	}}
	a.http = &http.Client{Transport: transport}
	return a
}

// raw sends a request as it is and returns the answer.
func (a *attacked) raw(text string) string {
	a.t.Helper()
	c, err := a.listener.Dial(a.t.Context(), netip.MustParseAddrPort("127.0.0.1:5000"))
	if err != nil {
		a.t.Fatal(err)
	}
	defer c.Close()
	go func() { _, _ = io.WriteString(c, text) }() // it may be refused before all is sent
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	answer, _ := io.ReadAll(c) // it may be cut
	return string(answer)
}

// post calls a method by JSON-RPC.
func (a *attacked) post(path, body string, header http.Header) string {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, "http://127.0.0.1:18789"+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header = header
	res, err := a.http.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return string(text)
}

// quoted is a text as a JSON string.
func quoted(text string) string { return string(rawjson.AppendString(nil, text)) }

// Clients put line ends, escape sequences and kilobytes into whatever they may
// name; the logs stay logs.
func TestInjectionIntoLogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := attack(t, "text", `{gateway: {auth: {mode: "token", token: "secret-token"}}, logging: {level: "debug"}}`)
		for _, text := range hostile {
			a.inject(text)
		}
		a.stop()
		stderr, file := a.logs()
		lines(t, "text", stderr, -1, regexp.MustCompile(`^time=\S+ level=[A-Z]+ msg=`))
		lines(t, "json", file, -1, regexp.MustCompile(`^\{"time":"[^"]+","level":"[A-Z]+","msg":"`))
		for _, msg := range []string{"client connected", "handshake refused", "connection closed", "malformed upgrade", "request refused", "device paired silently", "device token rotated", "configuration written"} {
			if !strings.Contains(file, msg) {
				t.Errorf("nothing was logged as %q: the attack missed it", msg)
			}
		}
	})
}

// inject brings a text in wherever a client may.
func (a *attacked) inject(text string) {
	t, q := a.t, quoted(text)
	client := fmt.Sprintf(`{"id":"cli","version":%[1]s,"platform":%[1]s,"mode":"cli","displayName":%[1]s,"deviceFamily":%[1]s,"instanceId":%[1]s}`, quoted(text+"."))
	c := gatewaytest.Connect(t, a.listener, fmt.Sprintf(`{"client":%s,"scopes":["operator.admin","operator.pairing",%s],"caps":[%[2]s],"extra":{"locale":%[2]s,"userAgent":%[2]s}}`, client, quoted(text+".")))
	for _, bad := range []string{
		fmt.Sprintf(`{"role":%s}`, quoted(text+".")), fmt.Sprintf(`{"extra":{%s:1}}`, q), fmt.Sprintf(`{"token":%s}`, q),
		fmt.Sprintf(`{"client":{"id":%s,"version":"1","platform":"x","mode":%[1]s}}`, q), fmt.Sprintf(`{"deviceExtra":{"id":%s}}`, quoted(text+".")),
	} {
		a.refused(bad)
	}
	for _, call := range []string{
		fmt.Sprintf(`"sessions.patch","params":{"key":%s,"label":%[1]s}`, q), fmt.Sprintf(`"sessions.delete","params":{"key":%s}`, q),
		fmt.Sprintf(`"chat.send","params":{"sessionKey":%s,"message":%[1]s,"idempotencyKey":%[1]s}`, q),
		fmt.Sprintf(`"chat.send","params":{"sessionKey":"a","message":"x","idempotencyKey":%s,"attachments":[{"type":"image","mimeType":%[1]s,"fileName":%[1]s,"content":"AAAA"}]}`, q),
		fmt.Sprintf(`"device.token.rotate","params":{"deviceId":%s,"role":%[1]s}`, q), fmt.Sprintf(`"device.pair.approve","params":{"requestId":%s}`, q),
		fmt.Sprintf(`"agents.files.get","params":{"agentId":%s,"name":%[1]s}`, q), fmt.Sprintf(`"sessions.preview","params":{"keys":[%s]}`, q),
		fmt.Sprintf(`"system-event","params":{"text":%s,"deviceId":%[1]s,"host":%[1]s,"ip":%[1]s}`, q), fmt.Sprintf(`"sessions.restore","params":{"archive":%s,"key":%[1]s}`, q),
		fmt.Sprintf(`%s,"params":{%[1]s:%[1]s}`, quoted(text+".")),
	} {
		c.Send(fmt.Sprintf(`{"type":"req","id":%s,"method":%s}`, quoted(text+"."), call))
	}
	a.rotateOwn(c, q)
	c.Send(text) // where that is no UTF-8 it is the last
	a.edge(text)
	ws, _, err := websocket.Dial(t.Context(), "ws://127.0.0.1:18789/rpc", &websocket.DialOptions{HTTPClient: a.http, HTTPHeader: http.Header{"Authorization": {"Bearer secret-token"}}})
	if err != nil {
		t.Fatal(err)
	}
	_ = ws.Close(4000, strings.ToValidUTF8(text[:min(len(text), 100)], ""))
	c.Close()
}

// refused connects in a way that must not do.
func (a *attacked) refused(options string) {
	c := gatewaytest.Connect(a.t, a.listener, `{"connect":false}`)
	o, err := rawjson.Parse([]byte(options))
	if err != nil {
		a.t.Fatal(err)
	}
	params := rawjson.NewObject()
	for name, value := range o.All() {
		if name != "extra" {
			params.Set(name, value)
			continue
		}
		extra, err := rawjson.Parse(value)
		if err != nil {
			a.t.Fatal(err)
		}
		for name, value := range extra.All() {
			params.Set(name, value)
		}
	}
	c.Send(`{"type":"req","id":"1","method":"connect","params":` + string(params.JSON()) + `}`)
	c.Closed()
}

// rotateOwn rotates the token of the client's own device and writes the
// configuration, with a note.
func (a *attacked) rotateOwn(c *gatewaytest.Client, q string) {
	paired, err := rawjson.Parse(c.Call("device.pair.list", ""))
	if err != nil {
		a.t.Fatal(err)
	}
	list, _ := rawjson.Array(paired.Get("paired"))
	device, err := rawjson.Parse(list[0])
	if err != nil {
		a.t.Fatal(err)
	}
	c.Call("device.token.rotate", fmt.Sprintf(`{"deviceId":%q,"role":"operator","scopes":["operator.read"]}`, device.Text("deviceId")))
	source, err := rawjson.Parse(c.Call("config.get", ""))
	if err != nil {
		a.t.Fatal(err)
	}
	c.Send(fmt.Sprintf(`{"type":"req","id":"c","method":"config.patch","params":{"raw":"{}","baseHash":%s,"note":%s}}`, source.Get("hash"), q))
	c.Send(fmt.Sprintf(`{"type":"req","id":"d","method":"config.set","params":{"raw":%s,"baseHash":%s}}`, q, source.Get("hash")))
}

// edge sends requests that hold the text in the path, in headers and in the body,
// once as HTTP allows it and once as it is.
func (a *attacked) edge(text string) {
	escaped := strings.NewReplacer("\r", "", "\n", "", "\x00", "").Replace(text)
	path := "/sessions/" + fmt.Sprintf("%x", text[:min(len(text), 9)]) + "%0a%1b%5b2J/history"
	header := http.Header{"Authorization": {"Bearer secret-token"}, "User-Agent": {"x"}}
	a.post("/rpc", fmt.Sprintf(`{"jsonrpc":"2.0","id":%[1]s,"method":%[2]s,"params":{%[1]s:1}}`, quoted(text), quoted(text+".")), header)
	a.post(path, "", header)
	for _, form := range []string{escaped, text} {
		a.raw("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: " + form + "\r\nSec-WebSocket-Protocol: " + form + "\r\n\r\n")
		a.raw("GET / HTTP/1.1\r\nHost: " + form + "\r\nConnection: close\r\n\r\n")
		a.raw("GET /" + form + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nOrigin: " + form + "\r\nX-Forwarded-For: " + form + "\r\nUser-Agent: " + form + "\r\n\r\n")
		a.raw("POST /rpc HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer " + form + "\r\nContent-Length: 0\r\n\r\n")
	}
}

// A whole life at debug level, with secrets that are known: none of them comes
// out but where it belongs. What was tried and is wrong does not either: it may
// be a right one that was mistyped.
func TestSecretsAreNotToldInALife(t *testing.T) {
	const shared, apiKey, header, bootstrap, guess = "Sh4red+token/of=this", "plain key of no form", "x-header-secret-77", "b00tstrap-t0ken-abc", "gu3ss-that-is-wrong"
	models := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"error":{"message":"invalid key %s with %s"}}`, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), r.Header.Get("X-Extra"))
	}))
	defer models.Close()
	a := attack(t, "text", fmt.Sprintf(`{gateway: {auth: {mode: "token", token: %q}}, logging: {level: "debug"},
		agents: {defaults: {model: "farm/m"}}, models: {providers: {farm: {baseUrl: %q, api: "openai-completions", apiKey: %q, headers: {"X-Extra": %q}, models: [{id: "m"}]}}}}`,
		shared, models.URL+"/v1", apiKey, header))
	invite := fmt.Sprintf(`{"i":{"token":%q,"ts":%d,"profile":{"roles":["operator"],"scopes":["operator.read"]}}}`, bootstrap, time.Now().UnixMilli())
	if err := os.MkdirAll(filepath.Join(a.cfg.StateDir, "devices"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(a.cfg.StateDir, "devices", "bootstrap.json"), []byte(invite), 0o600); err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{"shared": shared, "API key": apiKey, "header": header, "bootstrap": bootstrap, "guess": guess}
	var heard strings.Builder
	a.live(shared, bootstrap, guess, secrets, &heard)
	a.stop()
	stderr, file := a.logs()
	for what, secret := range secrets {
		for where, text := range map[string]string{"the log on stderr": stderr, "the log file": file, "an answer": heard.String()} {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("the secret %s is in %s: %.300q", what, where, text[max(0, i-150):])
			}
		}
		a.searchFiles(what, secret)
	}
	if !strings.Contains(stderr, "level=DEBUG") || !strings.Contains(heard.String(), "invalid key ***") {
		t.Errorf("the life did not come as far as it should: %.3000s", heard.String())
	}
}

// live plays the life; all answers go into heard, but for those that give a
// device its own token, which is a secret from then on.
func (a *attacked) live(shared, bootstrap, guess string, secrets map[string]string, heard *strings.Builder) {
	t := a.t
	c := gatewaytest.Connect(t, a.listener, fmt.Sprintf(`{"token":%q}`, shared))
	hello, err := rawjson.Parse(c.Hello())
	if err != nil {
		t.Fatal(err)
	}
	auth, err := rawjson.Parse(hello.Get("auth"))
	if err != nil {
		t.Fatal(err)
	}
	secrets["device"] = auth.Text("deviceToken")
	hello.Delete("auth")
	heard.Write(hello.JSON())
	for _, credentials := range []string{
		fmt.Sprintf(`"token":%q,"password":%[1]q`, guess), fmt.Sprintf(`"deviceToken":%q`, guess), fmt.Sprintf(`"token":null,"extra":{"auth":{"bootstrapToken":%q}},"scopes":["operator.read"]`, bootstrap),
		fmt.Sprintf(`"token":%q,"device":false`, guess), fmt.Sprintf(`"token":null,"password":%q`, shared), fmt.Sprintf(`"token":%q,"peer":"192.0.2.7:1"`, shared),
	} {
		d := gatewaytest.ConnectAnyway(t, a.listener, "{"+credentials+"}")
		for _, f := range d.Frames() {
			if !strings.Contains(string(f), `"deviceToken":"`) {
				heard.Write(f)
			}
		}
	}
	before := len(c.Frames())
	for _, call := range [][2]string{
		{"config.get", ""}, {"config.schema", ""}, {"status", ""}, {"health", `{"probe":true}`}, {"models.list", ""}, {"device.pair.list", ""}, {"gateway.identity.get", ""},
		{"chat.send", `{"sessionKey":"a","message":"hi","idempotencyKey":"r1"}`}, {"agent.wait", `{"runId":"r1","timeoutMs":20000}`}, {"chat.history", `{"sessionKey":"a"}`},
		{"sessions.get", `{"key":"a"}`}, {"sessions.list", `{"includeLastMessage":true}`}, {"doctor", ""}, {"logs.tail", ""}, {"system-presence", ""}, {"sessions.usage", ""},
		{"config.set", `{"raw":"{gateway: {auth: {token: 5}}}"}`}, {"config.set", `{"raw":"{gateway: {auth: {mode: 'token', token: '` + shared + `'"}`},
		{"config.patch", `{"raw":"{gateway: {auth: {token: {}}}}"}`}, {"agents.list", ""}, {"sessions.archives", ""}, {"chat.send", `{"sessionKey":"a","message":"/status","idempotencyKey":"r2"}`},
	} {
		c.Try(call[0], call[1])
	}
	for _, f := range c.Frames()[before:] {
		heard.Write(f)
	}
	id := deviceOf(t, c)
	rotated, err := rawjson.Parse(c.Call("device.token.rotate", fmt.Sprintf(`{"deviceId":%q,"role":"operator"}`, id)))
	if err != nil {
		t.Fatal(err)
	}
	secrets["rotated"] = rotated.Text("token")
	for _, h := range []http.Header{{"Authorization": {"Bearer " + shared}}, {"Authorization": {"Bearer " + guess}}, {"Authorization": {"Basic " + guess}}} {
		heard.WriteString(a.post("/rpc?token="+shared, `{"jsonrpc":"2.0","id":1,"method":"config.get"}`, h.Clone()))
		heard.WriteString(a.post("/sessions/a/nothing?token="+shared, "", h.Clone()))
	}
	for _, line := range []string{"GET /?token=" + shared + " HTTP/1.1", "GET /chat?token=" + guess + " HTTP/9", "GET /readyz?token=" + shared + " HTTP/1.1\r\nUpgrade: x"} {
		heard.WriteString(a.raw(line + "\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer " + shared + "\r\n\r\n"))
	}
	c.Try("device.token.revoke", fmt.Sprintf(`{"deviceId":%q,"role":"operator"}`, id))
	c.Closed()
}

// deviceOf is the id of the first paired device.
func deviceOf(t *testing.T, c *gatewaytest.Client) string {
	t.Helper()
	o, err := rawjson.Parse(c.Call("device.pair.list", ""))
	if err != nil {
		t.Fatal(err)
	}
	list, _ := rawjson.Array(o.Get("paired"))
	for _, raw := range list {
		if d, err := rawjson.Parse(raw); err == nil && strings.Contains(string(d.Get("scopes")), "operator.admin") {
			return d.Text("deviceId")
		}
	}
	t.Fatal("no device is paired")
	return ""
}

// searchFiles looks for a secret in the files of the state directory; only those
// that keep secrets may hold it, and only their owner may read them.
func (a *attacked) searchFiles(what, secret string) {
	a.t.Helper()
	keepers := []string{"parley.json", "paired.json", "bootstrap.json"}
	err := filepath.WalkDir(a.cfg.StateDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), secret) {
			return err
		}
		if !slices.Contains(keepers, d.Name()) {
			a.t.Errorf("the secret %s is in %s", what, path)
		}
		if info, err := d.Info(); err != nil || info.Mode().Perm() != 0o600 {
			a.t.Errorf("%s holds a secret and has mode %v (%v)", path, info.Mode(), err)
		}
		return nil
	})
	if err != nil {
		a.t.Error(err)
	}
}
