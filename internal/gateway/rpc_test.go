package gateway_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/parleyd/parley/internal/gatewaytest"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// rpcDoor is a gateway as a program sees it that speaks JSON-RPC from some
// address.
type rpcDoor struct {
	t        testing.TB
	http     *http.Client
	listener *gatewaytest.Listener
}

// openRPC starts a gateway with this configuration, laid over token auth.
func openRPC(t testing.TB, peer, cfg string) rpcDoor {
	t.Helper()
	state := t.TempDir()
	path := filepath.Join(state, "parley.json")
	writeFile(t, path, cfg)
	l := gatewaytest.NewListener(t)
	stop := serve(t, l, path, state)
	t.Cleanup(stop)
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return l.Dial(ctx, netip.MustParseAddrPort(peer))
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return rpcDoor{t, &http.Client{Transport: transport}, l}
}

// withToken is a gateway that asks for the token secret-token.
const withToken = `{gateway: {auth: {mode: "token", token: "secret-token"}}}`

// post sends a body and returns status and answer; headers are "Name: value".
func (d rpcDoor) post(body string, headers ...string) (int, string) {
	d.t.Helper()
	r, err := http.NewRequest(http.MethodPost, "http://127.0.0.1:18789/rpc", strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	res, err := d.http.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

const bearer = "Authorization: Bearer secret-token"

func TestRPCPost(t *testing.T) {
	d := openRPC(t, "127.0.0.1:5000", withToken)
	if status, got := d.post(`{"jsonrpc":"2.0","id":1,"method":"sessions.patch","params":{"key":"a","label":"L"}}`, bearer); status != 200 || !strings.Contains(got, `"key":"agent:main:a"`) {
		t.Fatalf("%d %s", status, got)
	}
	const missing = `"data":{"code":"INVALID_REQUEST","details":{"code":"MISSING_SCOPE","missingScope":"operator.admin","requiredScopes":["operator.admin"]}}`
	for _, tt := range []struct{ name, body, want string }{
		{"a result", `{"jsonrpc":"2.0","id":"x","method":"sessions.resolve","params":{"key":"a"}}`,
			`{"jsonrpc":"2.0","id":"x","result":{"ok":true,"key":"agent:main:a"}}`},
		{"no params", `{"jsonrpc":"2.0","id":1.50,"method":"sessions.resolve"}`,
			`{"jsonrpc":"2.0","id":1.50,"error":{"code":-32602,"message":"Either key, sessionId, or label is required","data":{"code":"INVALID_REQUEST"}}}`},
		{"params null", `{"jsonrpc":"2.0","id":null,"method":"sessions.resolve","params":null}`,
			`{"jsonrpc":"2.0","id":null,"error":{"code":-32602,"message":"Either key, sessionId, or label is required","data":{"code":"INVALID_REQUEST"}}}`},
		{"params by position", `{"jsonrpc":"2.0","id":1,"method":"sessions.resolve","params":["a"]}`,
			`{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"invalid sessions.resolve params: must be object","data":{"code":"INVALID_REQUEST"}}}`},
		{"params of no kind", `{"jsonrpc":"2.0","id":1,"method":"sessions.resolve","params":5}`,
			`{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"invalid request: params must be an object"}}`},
		{"unknown method", `{"jsonrpc":"2.0","id":1,"method":"sessions.nothing"}`,
			`{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"unknown method: sessions.nothing","data":{"code":"INVALID_REQUEST"}}}`},
		{"no handshake here", `{"jsonrpc":"2.0","id":1,"method":"connect","params":{}}`,
			`{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"unknown method: connect","data":{"code":"INVALID_REQUEST"}}}`},
		{"needs a socket", `{"jsonrpc":"2.0","id":1,"method":"sessions.messages.subscribe","params":{"key":"a"}}`,
			`{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"sessions.messages.subscribe needs a WebSocket","data":{"code":"UNAVAILABLE"}}}`},
		{"the last of two answers", `{"jsonrpc":"2.0","id":1,"method":"agent","params":{"message":"hi","sessionKey":"a","idempotencyKey":"k"}}`,
			`{"jsonrpc":"2.0","id":1,"result":{"runId":"k","status":"ok",`},
		{"not JSON", `{"jsonrpc":`, `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error: the message is not JSON"}}`},
		{"no object", `"x"`, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request: a call must be an object"}}`},
		{"no version", `{"id":7,"method":"health"}`, `{"jsonrpc":"2.0","id":7,"error":{"code":-32600,"message":"invalid request: jsonrpc must be \"2.0\""}}`},
		{"no method", `{"jsonrpc":"2.0","id":7,"method":5}`, `{"jsonrpc":"2.0","id":7,"error":{"code":-32600,"message":"invalid request: method must be a string that is not empty"}}`},
		{"an id of no kind", `{"jsonrpc":"2.0","id":{},"method":"health"}`, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request: id must be a string, a number or null"}}`},
		{"an empty batch", `[]`, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request: the batch is empty"}}`},
		{"a batch, in its order", `[{"jsonrpc":"2.0","id":1,"method":"sessions.get","params":{"key":"a","limit":1}},{"jsonrpc":"2.0","method":"sessions.patch","params":{"key":"b","label":"B"}},4,{"jsonrpc":"2.0","id":2,"method":"sessions.resolve","params":{"label":"B"}}]`,
			`[{"jsonrpc":"2.0","id":1,"result":{"messages":[`},
		{"one answer only", `[{"jsonrpc":"2.0","method":"health"},{"jsonrpc":"2.0","id":2,"method":"sessions.resolve","params":{"label":"B"}}]`,
			`[{"jsonrpc":"2.0","id":2,"result":{"ok":true,"key":"agent:main:b"}}]`},
	} {
		status, got := d.post(tt.body, bearer)
		if status != 200 || !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %d\n got %s\nwant %s", tt.name, status, got, tt.want)
		}
		if !rawjson.Valid([]byte(got)) {
			t.Errorf("%s: %s is not JSON", tt.name, got)
		}
	}
	for _, silent := range []string{`{"jsonrpc":"2.0","method":"sessions.patch","params":{"key":"c"}}`, `[{"jsonrpc":"2.0","method":"nothing"},{"jsonrpc":"2.0","method":"health"}]`} {
		if status, got := d.post(silent, bearer); status != http.StatusNoContent || got != "" {
			t.Errorf("%s: %d %q, want no content", silent, status, got)
		}
	}
	if status, got := d.post(`{"jsonrpc":"2.0","id":1,"method":"sessions.patch","params":{"key":"a"}}`, bearer, "Parley-Scopes: operator.read, operator.write, x"); status != 200 ||
		got != `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"missing scope: operator.admin",`+missing+`}}` {
		t.Errorf("narrowed: %d %s", status, got)
	}
	if status, got := d.post(strings.Repeat(" ", protocol.MaxPayload+1), bearer); status != http.StatusRequestEntityTooLarge || !strings.Contains(got, "policy.maxPayload") {
		t.Errorf("too large: %d %.200s", status, got)
	}
	if status, got := d.post(`[`+strings.Repeat("1,", 1000)+`1]`, bearer); status != 200 || !strings.Contains(got, "the batch holds 1001 calls, at most 1000 are taken") {
		t.Errorf("a large batch: %d %.200s", status, got)
	}
}

// Who comes without the secret, from elsewhere or out of a page gets nothing, or
// nothing but what is open to all.
func TestRPCCredentials(t *testing.T) {
	const call = `{"jsonrpc":"2.0","id":1,"method":"sessions.list"}`
	always, never := strings.Replace(withToken, "{", `{parley: {deviceless: "always"}, `, 1), strings.Replace(withToken, "{", `{parley: {deviceless: "never"}, `, 1)
	const local, far = "127.0.0.1:5000", "192.0.2.7:5000"
	for _, tt := range []struct {
		name, cfg, peer string
		headers         []string
		status          int
		want            string
	}{
		{"the secret", withToken, local, []string{bearer}, 200, `"result":`},
		{"no secret", withToken, local, nil, 401, "Unauthorized"},
		{"a wrong secret", withToken, local, []string{"Authorization: Bearer x"}, 401, "Unauthorized"},
		{"the secret as something else", withToken, local, []string{"Authorization: Basic secret-token"}, 401, "Unauthorized"},
		{"from afar", withToken, far, []string{bearer}, 200, "missing scope: operator.read"},
		{"through a proxy", withToken, local, []string{bearer, "X-Forwarded-For: 192.0.2.7"}, 200, "missing scope: operator.read"},
		{"from afar where that is wanted", always, far, []string{bearer}, 200, `"result":`},
		{"where nobody may", never, local, []string{bearer}, 200, "missing scope: operator.read"},
		{"a page of this machine", withToken, local, []string{bearer, "Origin: http://localhost:1234"}, 200, "missing scope: operator.read"},
		{"a foreign page", withToken, local, []string{bearer, "Origin: https://evil.example"}, 403, "Forbidden"},
		{"no auth at all", `{gateway: {auth: {mode: "none"}}}`, local, nil, 200, "missing scope: operator.read"},
	} {
		d := openRPC(t, tt.peer, tt.cfg)
		if status, got := d.post(call, tt.headers...); status != tt.status || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %d %s, want %d with %q", tt.name, status, got, tt.status, tt.want)
		}
		if tt.status != 200 {
			continue
		}
		if status, got := d.post(`{"jsonrpc":"2.0","id":1,"method":"health"}`, tt.headers...); status != 200 || !strings.Contains(got, `"result":{"ok":true`) {
			t.Errorf("%s: health is answered %d %s", tt.name, status, got)
		}
	}
}

// dial opens a WebSocket.
func (d rpcDoor) dial(headers ...string) (*websocket.Conn, *http.Response) {
	d.t.Helper()
	h := http.Header{}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	ws, res, err := websocket.Dial(d.t.Context(), "ws://127.0.0.1:18789/rpc", &websocket.DialOptions{HTTPClient: d.http, HTTPHeader: h})
	if err != nil {
		return nil, res
	}
	d.t.Cleanup(func() { ws.CloseNow() })
	return ws, res
}

func TestRPCWebSocket(t *testing.T) {
	d := openRPC(t, "127.0.0.1:5000", withToken)
	if ws, res := d.dial(); ws != nil || res == nil || res.StatusCode != http.StatusUnauthorized {
		t.Fatalf("without the secret: %v", res)
	}
	if ws, res := d.dial(bearer, "Origin: https://evil.example"); ws != nil || res == nil || res.StatusCode != http.StatusForbidden {
		t.Fatalf("out of a foreign page: %v", res)
	}
	ws, _ := d.dial(bearer)
	if ws == nil {
		t.Fatal("not let in with the secret")
	}
	send := func(text string) {
		t.Helper()
		if err := ws.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	// next is the next message; of the events only those of sessions count.
	next := func() string {
		t.Helper()
		for {
			_, text, err := ws.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), `"method":"event","params":{"event":"health"`) && !strings.Contains(string(text), `"event":"tick"`) {
				return string(text)
			}
		}
	}
	want := func(begin string) {
		t.Helper()
		if got := next(); !strings.HasPrefix(got, begin) || !rawjson.Valid([]byte(got)) {
			t.Fatalf("\n got %s\nwant %s", got, begin)
		}
	}
	send(`{"jsonrpc":"2.0","id":1,"method":"sessions.subscribe"}`)
	want(`{"jsonrpc":"2.0","id":1,"result":{"subscribed":true}}`)
	send(`nothing`)
	want(`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,`)
	// The answer to a batch comes before the events of its calls.
	send(`[{"jsonrpc":"2.0","id":2,"method":"sessions.patch","params":{"key":"a","label":"A"}},{"jsonrpc":"2.0","id":3,"method":"sessions.delete","params":{"key":"a"}}]`)
	want(`[{"jsonrpc":"2.0","id":2,"result":{"ok":true,`)
	want(`{"jsonrpc":"2.0","method":"event","params":{"event":"sessions.changed","payload":{"sessionKey":"agent:main:a","reason":"patch",`)
	want(`{"jsonrpc":"2.0","method":"event","params":{"event":"sessions.changed","payload":{"sessionKey":"agent:main:a","reason":"delete",`)
	send(`{"jsonrpc":"2.0","method":"sessions.unsubscribe"}`)
	send(`{"jsonrpc":"2.0","id":4,"method":"chat.send","params":{"sessionKey":"b","message":"hi","idempotencyKey":"run"}}`)
	want(`{"jsonrpc":"2.0","id":4,"result":{"runId":"run","status":"started"}}`)
	for {
		got := next()
		e := got[strings.Index(got, `"event":`):]
		if !strings.HasPrefix(got, `{"jsonrpc":"2.0","method":"event","params":{`) || !strings.HasSuffix(got, `}}`) || !strings.Contains(got, `,"seq":`) {
			t.Fatalf("event %s", got)
		}
		if strings.HasPrefix(e, `"event":"chat"`) && strings.Contains(e, `"state":"final"`) {
			break
		}
	}
}

// What rpc.discover tells is what the gateway has.
func TestDiscover(t *testing.T) {
	d := openRPC(t, "127.0.0.1:5000", withToken)
	status, got := d.post(`{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}`, bearer)
	var answer struct {
		Result struct {
			Methods []struct {
				Name   string `json:"name"`
				Params []struct {
					Name     string `json:"name"`
					Required bool   `json:"required"`
				} `json:"params"`
				Scope string `json:"x-scope"`
			} `json:"methods"`
		} `json:"result"`
	}
	if err := rawjson.Unmarshal([]byte(got), &answer); err != nil || status != 200 {
		t.Fatalf("%d %v %s", status, err, got)
	}
	found := false
	for _, m := range answer.Result.Methods {
		if m.Name == "sessions.patch" {
			found = len(m.Params) > 10 && m.Params[0].Name == "key" && m.Params[0].Required && !m.Params[1].Required && m.Scope == "operator.admin"
		}
	}
	if !found || len(answer.Result.Methods) < 50 {
		t.Errorf("%d methods, sessions.patch as expected: %v", len(answer.Result.Methods), found)
	}
}

// The document is held against the specification's own meta-schema where
// OPENRPC_META names a directory with openrpc.json and json-schema.json.
func TestDiscoverKeepsToOpenRPC(t *testing.T) {
	dir := os.Getenv("OPENRPC_META")
	if dir == "" {
		t.Skip("OPENRPC_META is not set")
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	for url, file := range map[string]string{ // they name each other with and without the slash
		"https://meta.open-rpc.org/": "openrpc.json", "https://meta.json-schema.tools/": "json-schema.json", "https://meta.json-schema.tools": "json-schema.json",
	} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		meta, err := rawjson.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		meta.Delete("$schema", "$id") // each names itself or the other
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(meta.JSON())))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(url, doc); err != nil {
			t.Fatal(err)
		}
	}
	meta, err := c.Compile("https://meta.open-rpc.org/")
	if err != nil {
		t.Fatal(err)
	}
	_, answer := openRPC(t, "127.0.0.1:5000", withToken).post(`{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}`, bearer)
	o, err := rawjson.Parse([]byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, text string
		valid      bool
	}{
		{"ours", string(o.Get("result")), true},
		{"one without a title", strings.Replace(string(o.Get("result")), `"title":"Parley",`, "", 1), false},
	} {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(tt.text))
		if err != nil {
			t.Fatal(err)
		}
		if err := meta.Validate(doc); (err == nil) != tt.valid {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// Each schema that is listed is served, with its own id.
func TestSchemasAreServed(t *testing.T) {
	d := openRPC(t, "127.0.0.1:5000", withToken)
	get := func(path string) (int, string) {
		t.Helper()
		res, err := d.http.Get("http://127.0.0.1:18789" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	_, list := get("/schemas/")
	var listed struct {
		Schemas []struct {
			Name string `json:"name"`
			Path string `json:"path"`
			ID   string `json:"id"`
		} `json:"schemas"`
	}
	if err := rawjson.Unmarshal([]byte(list), &listed); err != nil || len(listed.Schemas) < 70 {
		t.Fatalf("%v, %d schemas: %s", err, len(listed.Schemas), list)
	}
	for _, s := range listed.Schemas {
		if status, text := get(s.Path); status != 200 || s.ID == "" || !strings.Contains(text, `"$id": "`+s.ID+`"`) {
			t.Errorf("%s: %d %.200s", s.Path, status, text)
		}
	}
	for _, path := range []string{"/schemas/nothing.json", "/schemas/sessions.list", "/schemas/../go.mod", "/schemas/%2e%2e/go.mod"} {
		if status, text := get(path); status != 404 {
			t.Errorf("%s: %d %.200s", path, status, text)
		}
	}
}
