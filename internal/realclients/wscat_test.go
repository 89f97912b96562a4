package realclients

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// hello is a connect frame as a person types it: no device, and of client what
// must be there.
const hello = `{"type":"req","id":"1","method":"connect","params":{"minProtocol":3,"maxProtocol":3,"client":{"id":"cli","version":"1","platform":"linux","mode":"cli"},"auth":{"token":"secret-token"},"role":"operator","scopes":["operator.admin"]}}`

// wscat connects in a terminal, as a person does.
func wscat(t *testing.T, d *daemon, args ...string) *terminal {
	t.Helper()
	x := inTerminal(t, 8000, func(ctx context.Context) *exec.Cmd {
		return newHome(t).node(ctx, filepath.Join(modules, "wscat", "bin", "wscat"), append([]string{"--no-color", "-c", d.url()}, args...)...)
	})
	x.await(`Connected \(press CTRL\+C to quit\)`)
	return x
}

// TestWscat types frames by hand: a session, and what is refused.
func TestWscat(t *testing.T) {
	d := startDaemon(t, "")
	t.Run("a session", func(t *testing.T) {
		t.Parallel()
		x := wscat(t, d)
		x.await(`< \{"type":"event","event":"connect.challenge","payload":\{"nonce":"[^"]+","ts":\d{13}\}\}`)
		x.line(hello)
		x.await(`< \{"type":"res","id":"1","ok":true,"payload":\{"type":"hello-ok"`)
		x.line(`{"type":"req","id":"no params","method":"sessions.list"}`)
		x.await(`< \{"type":"res","id":"no params","ok":true,"payload":\{"ts":`)
		x.line(`  {"type":"req","id":"send","method":"chat.send","params":{"sessionKey":"wscat","message":"[[say hand made]]","idempotencyKey":"w1"}}  `)
		x.await(`< \{"type":"res","id":"send","ok":true,"payload":\{"runId":"w1","status":"started"\}\}`)
		x.await(`< \{"type":"event","event":"chat","payload":\{"runId":"w1","sessionKey":"agent:main:wscat","seq":\d+,"state":"final",.*"text":"hand made"`)
		x.line(`{"type":"req","id":"4","method":"no.such"}`)
		x.await(`< \{"type":"res","id":"4","ok":false,"error":\{"code":"INVALID_REQUEST","message":"unknown method: no\.such"\}\}`)
		x.line(`not json`)
		x.line(`{"type":"req","id":"5","method":"health"}`)
		x.await(`< \{"type":"res","id":"5","ok":true`) // still connected
	})
	t.Run("frames without waiting", func(t *testing.T) {
		t.Parallel()
		x := wscat(t, d)
		x.line(hello)
		x.line(`{"type":"req","id":"2","method":"sessions.list","params":{}}`)
		x.await(`"id":"1","ok":true[\s\S]*"id":"2","ok":true`)
	})
	for _, r := range refusals {
		t.Run("refused: "+r.name, func(t *testing.T) {
			t.Parallel()
			x := wscat(t, d, r.args...)
			x.await(`"event":"connect.challenge"`)
			for _, frame := range r.frames {
				x.line(frame)
			}
			shown := x.await(`(?s)(.*)Disconnected \(code: ` + r.closed + `\)`)[0]
			if r.answer == "" && regexp.MustCompile(`< \{`).MatchString(shown) {
				t.Errorf("an answer:\n%s", shown)
			}
			if !strings.Contains(shown, r.answer) {
				t.Errorf("no %s in:\n%s", r.answer, shown)
			}
		})
	}
}

// refusal is what ends a connection, and the words for it.
type refusal struct {
	name   string
	args   []string
	frames []string
	answer string
	closed string // expression
}

var refusals = []refusal{
	{name: "another method first", frames: []string{`{"type":"req","id":"7","method":"health","params":{}}`},
		answer: `{"type":"res","id":"7","ok":false,"error":{"code":"INVALID_REQUEST","message":"invalid handshake: first request must be connect"`, closed: `1008, .*`},
	{name: "no JSON", frames: []string{`hello there`}, closed: `1000, reason: ""`},
	{name: "no request", frames: []string{`{"a":1}`}, closed: `1008, reason: "invalid request frame"`},
	{name: "a list", frames: []string{`[]`}, closed: `1008, reason: "invalid request frame"`},
	{name: "wrong token", frames: []string{changed(hello, "secret-token", "wrong")},
		answer: `"error":{"code":"INVALID_REQUEST","message":"unauthorized: gateway token mismatch (set gateway.remote.token to match gateway.auth.token)","details":{"code":"AUTH_TOKEN_MISMATCH","authReason":"token_mismatch","canRetryWithDeviceToken":false,"recommendedNextStep":"update_auth_credentials"}}`, closed: `1008, .*`},
	{name: "no token, no device", frames: []string{changed(hello, `"auth":{"token":"secret-token"},`, ``)},
		answer: `"error":{"code":"NOT_PAIRED","message":"device identity required","details":{"code":"DEVICE_IDENTITY_REQUIRED"}}`, closed: `1008, .*`},
	{name: "the Control UI without a device", args: []string{"-o", "http://127.0.0.1:1"}, frames: []string{changed(hello, `"id":"cli","version":"1","platform":"linux","mode":"cli"`, `"id":"openclaw-control-ui","version":"1","platform":"linux","mode":"webchat"`)},
		answer: `control ui requires device identity (use HTTPS or localhost secure context)`, closed: `1008, .*`},
	{name: "the Control UI without an origin", frames: []string{changed(hello, `"id":"cli","version":"1","platform":"linux","mode":"cli"`, `"id":"openclaw-control-ui","version":"1","platform":"linux","mode":"webchat"`)},
		answer: `origin not allowed`, closed: `1008, .*`},
	{name: "no common protocol", frames: []string{changed(hello, `"minProtocol":3,"maxProtocol":3`, `"minProtocol":1,"maxProtocol":2`)},
		answer: `"message":"protocol mismatch","details":{"expectedProtocol":`, closed: `1002, .*`},
	{name: "unknown client", frames: []string{changed(hello, `"id":"cli"`, `"id":"me"`)},
		answer: `invalid connect params: at /client/id: must be equal to constant; at /client/id: must match a schema in anyOf`, closed: `1008, .*`},
}

func changed(frame, old, new string) string {
	out := strings.Replace(frame, old, new, 1)
	if out == frame {
		panic(fmt.Sprintf("%s is not in the frame", old))
	}
	return out
}
