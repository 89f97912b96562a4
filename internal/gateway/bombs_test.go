package gateway_test

import (
	"flag"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/parleyd/parley/internal/gatewaytest"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// bombSize is how many members, items or digits a bomb has; a million are those of
// a real one: go test ./internal/gateway -run Bombs -bombs 1000000.
var bombSize = flag.Int("bombs", 30_000, "members of each JSON bomb")

func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
func nestedObjects(n int) string {
	return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n)
}

// manyKeys is the inside of an object with n members.
func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"k%d":%d,`, i, i)
	}
	return b.String() + `"last":1`
}

// bomb is params that are meant to cost more than they weigh, and how the
// message of the answer begins; "" when the call succeeds, "-" where the whole
// message is not taken for JSON.
type bomb struct{ name, method, params, want string }

func bombs() []bomb {
	n := *bombSize
	digits := strings.Repeat("9", n)
	return []bomb{
		{"as deep as may be", "sessions.list", `{"x":` + nested(9990) + `}`, "invalid sessions.list params: at root: unexpected property 'x'"},
		{"objects as deep as may be", "sessions.list", `{"limit":` + nestedObjects(9990) + `}`, "invalid sessions.list params: at /limit: must be integer"},
		{"deeper", "sessions.list", `{"x":` + nested(10_001) + `}`, "-"},
		{"deeper still", "sessions.list", nested(max(n, 10_001)), "-"},
		{"brackets that do not close", "sessions.list", strings.Repeat("[", n), "-"},
		{"many keys", "sessions.list", "{" + manyKeys(n) + "}", "invalid sessions.list params: at root: unexpected property 'k0'; "},
		{"many keys that nobody checks", "status", "{" + manyKeys(n) + "}", ""},
		{"many items of the wrong kind", "sessions.preview", `{"keys":[` + strings.Repeat("0,", n) + `0]}`, "invalid sessions.preview params: at /keys/0: must be string; "},
		{"one key many times", "sessions.resolve", "{" + strings.Repeat(`"key":"b",`, n) + `"key":"a"}`, ""},
		{"one unknown key many times", "sessions.resolve", "{" + strings.Repeat(`"x":1,`, n) + `"key":"a"}`, "invalid sessions.resolve params: at root: unexpected property 'x'"},
		{"a number of many digits", "sessions.list", `{"limit":` + digits + `}`, ""},
		{"a fraction of many digits", "sessions.list", `{"limit":0.1` + digits + `}`, "invalid sessions.list params: at /limit: must be integer"},
		{"a number beyond all", "sessions.list", `{"limit":1e999999999}`, ""},
		{"the same below zero", "sessions.list", `{"limit":-1e999999999}`, "invalid sessions.list params: at /limit: must be >= 1"},
		{"a number next to nothing", "sessions.list", `{"limit":1e-999999999}`, "invalid sessions.list params: at /limit: must be >= 1"},
		{"lone surrogates", "sessions.patch", `{"key":"\ud800","label":"\udfff\ud800x","\ud800":1}`, "invalid sessions.patch params: at root: unexpected property '\uFFFD'"},
		{"many escapes", "sessions.patch", `{"key":"a","label":"` + strings.Repeat(`\u0061`, n) + `"}`, "invalid sessions.patch params: at /label: must NOT have more than 512 characters"},
		{"a long key", "sessions.resolve", `{"key":"` + strings.Repeat("é", n) + `"}`, "No session found: "},
	}
}

// costs runs f and reports when it takes much time, or much memory for the size
// of the message.
func (b bomb) costs(t *testing.T, way string, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	f()
	took := time.Since(began)
	defer func() {
		t.Logf("%-45s %-7s %8v %5d KiB %5d MiB", b.name, way, took.Round(time.Millisecond), len(b.params)>>10, (after.TotalAlloc-before.TotalAlloc)>>20)
	}()
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > uint64(80*len(b.params)+32<<20) {
		t.Errorf("%s by %s: %d MiB for a message of %d KiB", b.name, way, used>>20, len(b.params)>>10)
	}
	if took > 10*time.Second {
		t.Errorf("%s by %s: took %v", b.name, way, took)
	}
}

// judge looks at the answer, which came in one of the ways.
func (b bomb) judge(t *testing.T, way, answer string) {
	t.Helper()
	o, err := rawjson.Parse([]byte(answer))
	if err != nil {
		t.Fatalf("%s by %s: %v: %.200q", b.name, way, err, answer)
	}
	message, want := messageOf(t, o.Get("error")), b.want
	switch {
	case want == "-" && way == "frame":
		want = ""
	case want == "-":
		want = "parse error: the message is not JSON"
	}
	if want == "" && message != "" || !strings.HasPrefix(message, want) {
		t.Errorf("%s by %s: %.200q, want %q", b.name, way, message, want)
	}
	if len(answer) > len(b.params)+64<<10 {
		t.Errorf("%s by %s: a message of %d bytes is answered with %d", b.name, way, len(b.params), len(answer))
	}
}

// Messages that are small and meant to become large are answered as the rules
// say, in bounded time and memory, and the connection goes on.
func TestJSONBombs(t *testing.T) {
	d := openRPC(t, "127.0.0.1:5000", withToken)
	frames := d.socket("/")
	d.ask(frames, `{"type":"req","id":"1","method":"connect","params":{"minProtocol":3,"maxProtocol":3,"client":{"id":"cli","version":"1","platform":"x","mode":"cli"},`+
		`"scopes":["operator.admin"],"auth":{"token":"secret-token"}}}`)
	calls := d.socket("/rpc")
	d.ask(calls, `{"jsonrpc":"2.0","id":1,"method":"sessions.patch","params":{"key":"a"}}`)
	for _, b := range bombs() {
		call := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, b.method, b.params)
		for way, ask := range map[string]func() string{
			"frame": func() string {
				frame := fmt.Sprintf(`{"type":"req","id":"1","method":%q,"params":%s}`, b.method, b.params)
				if b.want == "-" {
					d.write(frames, frame) // is passed over
					frame = `{"type":"req","id":"1","method":"health"}`
				}
				return d.ask(frames, frame)
			},
			"POST":   func() string { _, text := d.post(call, bearer); return text },
			"socket": func() string { return d.ask(calls, call) },
		} {
			var text string
			b.costs(t, way, func() { text = ask() })
			b.judge(t, way, text)
		}
	}
}

// socket opens a WebSocket that takes messages of any size.
func (d rpcDoor) socket(path string) *websocket.Conn {
	d.t.Helper()
	secret := http.Header{"Authorization": {"Bearer secret-token"}}
	ws, _, err := websocket.Dial(d.t.Context(), "ws://127.0.0.1:18789"+path, &websocket.DialOptions{HTTPClient: d.http, HTTPHeader: secret})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { ws.CloseNow() })
	ws.SetReadLimit(-1)
	return ws
}

func (d rpcDoor) write(ws *websocket.Conn, text string) {
	d.t.Helper()
	if err := ws.Write(d.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		d.t.Fatal(err)
	}
}

// ask sends a call over a socket of either kind and returns the answer.
func (d rpcDoor) ask(ws *websocket.Conn, call string) string {
	d.t.Helper()
	d.write(ws, call)
	for {
		_, text, err := ws.Read(d.t.Context())
		if err != nil {
			d.t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), `{"jsonrpc":"2.0","method":"event"`) && !strings.HasPrefix(string(text), `{"type":"event"`) {
			return string(text)
		}
	}
}

// What strangers send is no more than a connect may be; bombs of that size end
// the connection as any other message does that is no connect.
func TestJSONBombsBeforeConnect(t *testing.T) {
	bubble(t, func(t *testing.T, l *gatewaytest.Listener, _ func()) {
		connect := func(params string) string {
			return `{"type":"req","id":"1","method":"connect","params":` + params + `}`
		}
		client := `"minProtocol":3,"maxProtocol":3,"client":{"id":"cli","version":"1","platform":"x","mode":"cli"}`
		for _, tt := range []struct {
			name, text string
			code       int
			reason     string
		}{
			{"65 537 bytes that would be a connect", connect("{" + client + `,"locale":"` + strings.Repeat("x", protocol.MaxHandshake) + `"}`), 1009, ""},
			{"65 537 blanks", strings.Repeat(" ", protocol.MaxHandshake+1), 1009, ""},
			{"65 536 blanks", strings.Repeat(" ", protocol.MaxHandshake), 1000, ""},
			{"many keys", "{" + manyKeys(30_000) + "}", 1009, ""},
			{"deeper than JSON may be", nested(20_000), 1000, ""},
			{"as deep as JSON may be", nested(10_000), 1008, "invalid request frame"},
			{"params as deep", connect(nested(9_990)), 1008, "invalid connect params: must be object"},
			{"params with thousands of keys", connect("{" + client + "," + manyKeys(3_000) + "}"), 1008, "invalid connect params: at root: unexpected property 'k0'; "},
			{"a version beyond all", connect(strings.Replace("{"+client+"}", "3", "1e999", 1)), 1002, "protocol mismatch"},
			{"lone surrogates", connect(strings.Replace("{"+client+"}", `"cli"`, `"\ud800"`, 1)), 1008, "invalid connect params: at /client/id: must be equal to constant"},
			{"client twice", connect(`{"client":[],` + client + `,"role":"\ud800"}`), 1008, "invalid role"},
			{"permissions of many names", connect("{" + client + `,"permissions":{` + manyKeys(3_000) + `}}`), 1008, "invalid connect params: at /permissions/k0: must be boolean; "},
		} {
			c := gatewaytest.Connect(t, l, `{"connect":false}`)
			c.Send(tt.text)
			code, reason := c.Closed()
			if code != tt.code || !strings.HasPrefix(reason, tt.reason) || tt.reason == "" && reason != "" || len(reason) > 123 {
				t.Errorf("%s: closed with %d %q, want %d %q", tt.name, code, reason, tt.code, tt.reason)
			}
			if n := len(c.Frames()); tt.code == 1009 && n != 1 {
				t.Errorf("%s: %d frames came, want the challenge alone", tt.name, n)
			}
		}
	})
}
