package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyd/parley/internal/gatewaytest"
	"github.com/parleyd/parley/internal/rawjson"
)

const (
	rateLimited = "⚠️ API rate limit reached. Please try again later."
	overloaded  = "The AI service is temporarily overloaded. Please try again in a moment."
	overflown   = "Context overflow: prompt too large for the model. Try /reset (or /new) to start a fresh session, or use a larger-context model."
	network     = "LLM request failed: network connection error."
)

// modelFault is something that goes wrong with a model server, and what becomes
// of the run.
type modelFault struct {
	network  string // see modelBubble
	handlers func(d dialect) []http.HandlerFunc
	shown    string // to clients; "" when the run is done
	whole    string // in the transcript, where it differs
	kept     string // the answer, or what came of it
	requests int
	atLeast  time.Duration
	below    time.Duration
}

func one(h http.HandlerFunc) func(dialect) []http.HandlerFunc {
	return func(dialect) []http.HandlerFunc { return []http.HandlerFunc{h} }
}

var modelFaults = map[string]modelFault{
	"refused connection": {
		network: "refused", handlers: one(nil), requests: 0, below: 3 * time.Second,
		shown: "LLM request failed: connection refused by the provider endpoint.", whole: "Connection error.",
	},
	"certificate that nobody vouches for": {
		network: "tls", handlers: one(nil), requests: 0, below: 3 * time.Second,
		shown: network, whole: "Connection error.",
	},
	"wrong key": {
		handlers: one(refuses(401, "no such key")), requests: 1, below: time.Second, shown: "401 no such key",
	},
	"unknown model": {
		handlers: one(refuses(404, "there is no model m")), requests: 1, below: time.Second, shown: "404 there is no model m",
	},
	"rate limit for a while": {
		handlers: func(d dialect) []http.HandlerFunc {
			return []http.HandlerFunc{refuses(429, "slow down", "Retry-After", "7"), d.says(nil, "fine")}
		},
		requests: 2, kept: "fine", atLeast: 7 * time.Second, below: 7500 * time.Millisecond,
	},
	"rate limit without end": {
		handlers: one(refuses(429, "slow down", "Retry-After", "7")), requests: 3, atLeast: 14 * time.Second, below: 15 * time.Second,
		shown: rateLimited, whole: "429 slow down",
	},
	"server error, then an answer": {
		handlers: func(d dialect) []http.HandlerFunc {
			return []http.HandlerFunc{refuses(500, "boom"), d.says(nil, "fi", "ne")}
		},
		requests: 2, kept: "fine", below: time.Second,
	},
	"hang-up, then an answer": {
		handlers: func(d dialect) []http.HandlerFunc { return []http.HandlerFunc{cutOff, d.says(nil, "fine")} },
		requests: 2, kept: "fine", below: time.Second,
	},
	"server error without end": {
		handlers: one(refuses(500, "boom")), requests: 3, below: 3 * time.Second, shown: "500 boom",
	},
	"overloaded": {
		handlers: one(refuses(529, "Overloaded")), requests: 3, below: 3 * time.Second, shown: overloaded, whole: "529 Overloaded",
	},
	"cut stream": {
		handlers: func(d dialect) []http.HandlerFunc { return []http.HandlerFunc{d.says(cutOff, "cut ", "short")} },
		requests: 1, below: time.Second, kept: "cut short", shown: network, whole: "Connection error: unexpected EOF",
	},
	"stalled before the answer": {
		handlers: one(stall), requests: 1, atLeast: 10 * time.Minute, below: 11 * time.Minute,
		shown: "LLM request timed out.", whole: "Request timed out.",
	},
	"stalled stream": {
		handlers: func(d dialect) []http.HandlerFunc { return []http.HandlerFunc{d.says(stall, "half")} },
		requests: 1, atLeast: 10 * time.Minute, below: 11 * time.Minute, kept: "half",
		shown: "LLM request timed out.", whole: "Request timed out.",
	},
	"malformed event": {
		handlers: func(d dialect) []http.HandlerFunc {
			return []http.HandlerFunc{d.says(writes("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\n\n"), "half")}
		},
		requests: 1, below: time.Second, kept: "half", shown: "The model server's answer is not valid JSON: unexpected end of JSON input",
	},
	"no events": {
		handlers: one(writes(`{"choices":[]}`)), requests: 1, below: time.Second,
		shown: "The model server's answer was not a stream of events.",
	},
	"empty answer": {
		handlers: func(d dialect) []http.HandlerFunc { return []http.HandlerFunc{d.says(nil)} },
		requests: 1, below: time.Second,
	},
	"answer without end": {
		handlers: func(d dialect) []http.HandlerFunc {
			return []http.HandlerFunc{d.says(nil, strings.Repeat("a", 600), strings.Repeat("b", 400), strings.Repeat("c", 600))}
		},
		requests: 1, below: time.Second, kept: strings.Repeat("a", 600) + strings.Repeat("b", 400),
		shown: "The model's answer is longer than 1024 bytes (parley.runs.maxAnswerBytes); what came before is kept.",
	},
	"event without end": {
		handlers: func(d dialect) []http.HandlerFunc {
			return []http.HandlerFunc{d.says(func(w http.ResponseWriter, r *http.Request) {
				for line := "data: " + strings.Repeat("x", 1<<20) + "\n"; r.Context().Err() == nil; {
					_, _ = w.Write([]byte(line))
				}
			}, "half")}
		},
		requests: 1, below: time.Second, kept: "half", shown: "The model server sent an event of more than 33554432 bytes.",
	},
	"conversation too long": {
		handlers: one(refuses(400, "This model's maximum context length is 8192 tokens")), requests: 1, below: time.Second,
		shown: overflown, whole: "400 This model's maximum context length is 8192 tokens",
	},
	"error in the stream": {
		handlers: func(d dialect) []http.HandlerFunc {
			return []http.HandlerFunc{d.says(writes("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n"), "half")}
		},
		requests: 1, below: time.Second, kept: "half", shown: overloaded, whole: "Overloaded",
	},
}

// Whatever a model server does, a run ends once, and everybody is told the same:
// those who listen, who waits for it, who sends the message again, and whoever
// reads the transcript and the list of sessions later.
func TestModelFaultsThroughTheWire(t *testing.T) {
	for name, f := range modelFaults {
		for _, d := range dialects {
			t.Run(name+"/"+d.api, func(t *testing.T) {
				modelBubble(t, d, f.network, f.handlers(d), func(t *testing.T, l *gatewaytest.Listener, s *modelServer) {
					f.check(t, d, l, s)
				})
			})
		}
	}
}

func (f modelFault) check(t *testing.T, d dialect, l *gatewaytest.Listener, s *modelServer) {
	const send = `{"sessionKey":"s","message":"hello","idempotencyKey":"r"}`
	sender, listener := gatewaytest.Connect(t, l, ""), gatewaytest.Connect(t, l, "")
	listener.Call("sessions.subscribe", "")
	start := time.Now()
	sender.Call("chat.send", send)
	waited := object(t, sender.Call("agent.wait", `{"runId":"r","timeoutMs":20000}`))
	for waited.Text("status") == "timeout" && time.Since(start) < time.Hour {
		waited = object(t, sender.Call("agent.wait", `{"runId":"r","timeoutMs":20000}`))
	}
	if took := time.Since(start); took < f.atLeast || took > f.below {
		t.Errorf("took %v, want %v to %v", took, f.atLeast, f.below)
	}
	synctest.Wait()
	status, end := "done", "final"
	if f.shown != "" {
		status, end = "failed", "error"
	}
	f.checkWait(t, waited)
	f.checkEvents(t, listener.Frames(), end)
	f.checkTranscript(t, d, sender)
	row := object(t, array(t, object(t, sender.Call("sessions.list", "{}")).Get("sessions"))[0])
	if got := row.Text("status"); got != status {
		t.Errorf("the session's status is %q, want %q", got, status)
	}
	f.checkRepeat(t, sender, send)
	if got := s.asked(); got != f.requests {
		t.Errorf("the server was asked %d times, want %d", got, f.requests)
	}
}

func (f modelFault) checkWait(t *testing.T, got rawjson.Object) {
	want := "ok"
	if f.shown != "" {
		want = "error"
	}
	if got.Text("status") != want || got.Text("error") != f.shown {
		t.Errorf("agent.wait answered %s", rawjson.MustMarshal(got))
	}
}

// checkEvents looks at what the run told: it starts, it ends once, nothing
// follows, and no word of a failure that a later attempt has made good.
func (f modelFault) checkEvents(t *testing.T, frames []rawjson.Value, end string) {
	var told []string
	text := ""
	for _, raw := range frames {
		frame := object(t, raw)
		p := object(t, frame.Get("payload"))
		data, _ := rawjson.Parse(p.Get("data"))
		switch name := frame.Text("event"); {
		case name == "agent" && p.Text("stream") == "lifecycle":
			told = append(told, "agent "+data.Text("phase"))
			if got := data.Text("error"); got != f.shown && data.Text("phase") == "error" {
				t.Errorf("agent event with error %q", got)
			}
		case name == "chat" && p.Text("state") == "delta":
			text = chatText(t, p)
		case name == "chat":
			told = append(told, "chat "+p.Text("state"))
			if got := p.Text("errorMessage"); got != f.shown {
				t.Errorf("chat event with error %q, want %q", got, f.shown)
			}
			if p.Text("state") == "final" {
				text = chatText(t, p)
			}
		case name == "sessions.changed" && p.Has("phase"):
			told = append(told, "phase "+p.Text("phase"))
		}
	}
	phase := map[string]string{"final": "end", "error": "error"}[end]
	want := []string{"phase message", "agent start", "phase start", "phase message", "agent " + phase, "chat " + end, "phase " + phase}
	if fmt.Sprint(told) != fmt.Sprint(want) {
		t.Errorf("told %v,\nwant %v", told, want)
	}
	if text != f.kept {
		t.Errorf("clients show %.40q, want %.40q", text, f.kept)
	}
}

func chatText(t *testing.T, p rawjson.Object) string {
	if !p.Has("message") {
		return ""
	}
	return object(t, array(t, object(t, p.Get("message")).Get("content"))[0]).Text("text")
}

func (f modelFault) checkTranscript(t *testing.T, d dialect, c *gatewaytest.Client) {
	messages := array(t, object(t, c.Call("sessions.get", `{"key":"s"}`)).Get("messages"))
	if len(messages) != 2 {
		t.Fatalf("the transcript has %d messages: %s", len(messages), messages)
	}
	answer := object(t, messages[1])
	text := ""
	for _, b := range array(t, answer.Get("content")) {
		text += object(t, b).Text("text")
	}
	stop, whole := "stop", f.whole
	if f.shown != "" {
		stop = "error"
		if whole == "" {
			whole = f.shown
		}
	}
	if text != f.kept || answer.Text("stopReason") != stop || answer.Text("errorMessage") != whole || answer.Text("api") != d.api {
		t.Errorf("the transcript has %.400s\nwant %.40q, %s, %q", messages[1], f.kept, stop, whole)
	}
}

func (f modelFault) checkRepeat(t *testing.T, c *gatewaytest.Client, send string) {
	payload, fault := c.Try("chat.send", send)
	if f.shown == "" {
		if string(payload) != `{"runId":"r","status":"ok"}` {
			t.Errorf("the message once more was answered %s %s", payload, fault)
		}
		return
	}
	e, err := rawjson.Parse(fault)
	if err != nil || e.Text("code") != "UNAVAILABLE" || e.Text("message") != f.shown {
		t.Errorf("the message once more was answered %s %s", payload, fault)
	}
}

func object(t *testing.T, v rawjson.Value) rawjson.Object {
	t.Helper()
	o, err := rawjson.Parse(v)
	if err != nil {
		t.Fatalf("%v: %.200s", err, v)
	}
	return o
}

func array(t *testing.T, v rawjson.Value) []rawjson.Value {
	t.Helper()
	a, ok := rawjson.Array(v)
	if !ok {
		t.Fatalf("not an array: %.200s", v)
	}
	return a
}
