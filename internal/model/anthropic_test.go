package model

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/rawjson"
)

func claude(c *http.Client) AnthropicOptions {
	return AnthropicOptions{BaseURL: "http://models.test", Key: "sk-test", Model: "c1", MaxTokens: 4096, Client: c}
}

// events answers with a stream of the messages protocol, which names each event
// twice, and then does end.
func events(end http.HandlerFunc, all ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		for _, e := range all {
			o, _ := rawjson.Parse([]byte(e))
			_, _ = fmt.Fprintf(w, "event: %s\ndata: %s\n\n", o.Text("type"), e)
			w.(http.Flusher).Flush()
		}
		if end != nil {
			end(w, r)
		}
	}
}

const (
	began = `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"c1","content":[],"stop_reason":null,` +
		`"usage":{"input_tokens":7,"output_tokens":1,"cache_read_input_tokens":30,"cache_creation_input_tokens":4}}}`
	block   = `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`
	ping    = `{"type":"ping"}`
	blocked = `{"type":"content_block_stop","index":0}`
	stopped = `{"type":"message_stop"}`
)

func words(text string) string {
	return fmt.Sprintf(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":%q}}`, text)
}

func because(reason string) string {
	return fmt.Sprintf(`{"type":"message_delta","delta":{"stop_reason":%q,"stop_sequence":null},"usage":{"output_tokens":12}}`, reason)
}

func TestAnthropicRequest(t *testing.T) {
	talk := Turn{
		System: "be brief", Thinking: "high",
		Messages: []Message{
			{Role: Assistant, Text: "nobody asked"},
			{Role: User, Text: "a <b> & c"},
			{Role: Assistant, Text: ""},
			{Role: Assistant, Text: "b"},
			{Role: User, Text: "look", Images: []Image{{MIME: "image/png", Base64: "aaaa"}}},
		},
	}
	const cached = `"cache_control":{"type":"ephemeral"}`
	head := `"model":"c1","stream":true,"system":[{"type":"text","text":"be brief",` + cached + `}],"messages":[{"role":"user","content":[{"type":"text","text":"a <b> & c"}]},` +
		`{"role":"assistant","content":[{"type":"text","text":"b"}]},{"role":"user","content":[`
	for name, tt := range map[string]struct {
		change func(*AnthropicOptions, *Turn)
		want   string
	}{
		"plain":          {func(*AnthropicOptions, *Turn) {}, `{"max_tokens":4096,` + head + `{"type":"text","text":"look",` + cached + `}]}]}`},
		"without limit":  {func(o *AnthropicOptions, _ *Turn) { o.MaxTokens = 0 }, `{"max_tokens":8192,` + head + `{"type":"text","text":"look",` + cached + `}]}]}`},
		"with a picture": {func(o *AnthropicOptions, _ *Turn) { o.Images = true }, `{"max_tokens":4096,` + head + `{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aaaa"}},{"type":"text","text":"look",` + cached + `}]}]}`},
		"thinking":       {func(o *AnthropicOptions, _ *Turn) { o.Reasoning, o.MaxTokens = true, 64000 }, `{"max_tokens":64000,"thinking":{"type":"enabled","budget_tokens":16384},` + head + `{"type":"text","text":"look",` + cached + `}]}]}`},
		"thinking within a small limit": {
			func(o *AnthropicOptions, _ *Turn) { o.Reasoning = true },
			`{"max_tokens":4096,"thinking":{"type":"enabled","budget_tokens":2048},` + head + `{"type":"text","text":"look",` + cached + `}]}]}`,
		},
		"no room to think": {func(o *AnthropicOptions, _ *Turn) { o.Reasoning, o.MaxTokens = true, 1000 }, `{"max_tokens":1000,` + head + `{"type":"text","text":"look",` + cached + `}]}]}`},
		"adaptive":         {func(o *AnthropicOptions, t *Turn) { o.Reasoning, t.Thinking = true, "adaptive" }, `{"max_tokens":4096,"thinking":{"type":"adaptive"},` + head + `{"type":"text","text":"look",` + cached + `}]}]}`},
		"off":              {func(o *AnthropicOptions, t *Turn) { o.Reasoning, t.Thinking = true, "off" }, `{"max_tokens":4096,` + head + `{"type":"text","text":"look",` + cached + `}]}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := serve(t, events(nil, began, because("end_turn"), stopped))
			o, turn := claude(client), talk
			tt.change(&o, &turn)
			if _, err := listen(t.Context(), NewAnthropic(o), turn); err != nil {
				t.Fatal(err)
			}
			var got, want any
			if err := rawjson.Unmarshal([]byte(server.bodies[0]), &got); err != nil {
				t.Fatal(err)
			}
			if err := rawjson.Unmarshal([]byte(tt.want), &want); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("request (-want +got):\n%s", d)
			}
			if h := server.headers[0]; h.Get("x-api-key") != "sk-test" || h.Get("anthropic-version") != "2023-06-01" || h.Get("Authorization") != "" {
				t.Errorf("headers = %v", h)
			}
		})
	}
}

// What the environment says of Anthropic's own service is not for other servers.
func TestAnthropicTakesNothingFromTheEnvironment(t *testing.T) {
	t.Setenv("ANTHROPIC_API_KEY", "sk-secret")
	t.Setenv("ANTHROPIC_AUTH_TOKEN", "token-secret")
	t.Setenv("ANTHROPIC_BASE_URL", "http://elsewhere.test")
	server, client := serve(t, events(nil, began, because("end_turn"), stopped))
	o := claude(client)
	o.Headers = []Header{{"X-Team", "blue"}}
	if _, err := listen(t.Context(), NewAnthropic(o), say("x")); err != nil {
		t.Fatal(err)
	}
	if h := server.headers[0]; h.Get("x-api-key") != "sk-test" || h.Get("Authorization") != "" || h.Get("X-Team") != "blue" {
		t.Errorf("headers = %v", h)
	}
}

func TestAnthropicReadsTheAnswer(t *testing.T) {
	usage := &Usage{Input: 7, Output: 12, CacheRead: 30, CacheWrite: 4}
	for name, tt := range map[string]struct {
		events []string
		want   heard
	}{
		"words": {
			[]string{began, block, ping, words("a "), words("b"), blocked, because("end_turn"), stopped},
			heard{Text: "a b", ResponseID: "msg_1", Stop: Stop, Usage: usage},
		},
		"thoughts": {
			[]string{
				began, `{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}`,
				`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm "}}`,
				`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"so"}}`,
				`{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"sig"}}`, blocked, words("a"), because("stop_sequence"), stopped,
			},
			heard{Text: "a", Thinking: "hm so", Signature: "sig", ResponseID: "msg_1", Stop: Stop, Usage: usage},
		},
		"a tool, which nobody has": {
			[]string{
				began, `{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"x","input":{}}}`,
				`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{"}}`, blocked, because("tool_use"), stopped,
			},
			heard{ResponseID: "msg_1", Stop: ToolUse, Usage: usage},
		},
		"the limit": {
			[]string{began, words("a"), `{"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"input_tokens":8,"output_tokens":3,"cache_read_input_tokens":0,"cache_creation_input_tokens":1}}`, stopped},
			heard{Text: "a", ResponseID: "msg_1", Stop: Length, Usage: &Usage{Input: 8, Output: 3, CacheWrite: 1}},
		},
		"what comes one day": {
			[]string{began, `{"type":"novelty","x":1}`, words("a"), `{"type":"content_block_delta","index":0,"delta":{"type":"novel_delta","x":1}}`, because("pause_turn"), stopped},
			heard{Text: "a", ResponseID: "msg_1", Stop: Stop, Usage: usage},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, client := serve(t, events(nil, tt.events...))
			got, err := listen(t.Context(), NewAnthropic(claude(client)), say("x"))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("answer (-want +got):\n%s", d)
			}
		})
	}
}

func TestAnthropicFailures(t *testing.T) {
	overloaded := `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`
	for name, tt := range map[string]struct {
		handlers    []http.HandlerFunc
		text, shown string
		said        string
		requests    int
	}{
		"401 is not tried again": {
			handlers: []http.HandlerFunc{refuse(401, `{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}`)},
			text:     "401 invalid x-api-key", shown: "401 invalid x-api-key", requests: 1,
		},
		"529 three times": {handlers: []http.HandlerFunc{refuse(529, overloaded)}, text: "529 Overloaded", shown: shownOverloaded, requests: 3},
		"a second try": {
			handlers: []http.HandlerFunc{refuse(500, "oops"), events(nil, began, words("fine"), because("end_turn"), stopped)}, said: "fine", requests: 2,
		},
		"an error in the answer": {handlers: []http.HandlerFunc{events(nil, began, words("a"), overloaded)}, said: "a", text: "Overloaded", shown: shownOverloaded, requests: 1},
		"a refusal by the model": {handlers: []http.HandlerFunc{events(nil, began, because("refusal"), stopped)}, text: "Provider stop_reason: refusal", shown: "Provider stop_reason: refusal", requests: 1},
		"an answer that is cut":  {handlers: []http.HandlerFunc{events(cut, began, words("a"))}, said: "a", text: "Connection error: unexpected EOF", shown: shownNetwork, requests: 1},
		"an answer without end": {
			handlers: []http.HandlerFunc{events(nil, began, words("a"))}, said: "a",
			text: "The model server ended its answer before it was complete.", shown: "The model server ended its answer before it was complete.", requests: 1,
		},
		"no stream": {
			handlers: []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }},
			text:     "The model server's answer was not a stream of events.", shown: "The model server's answer was not a stream of events.", requests: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, client := serve(t, tt.handlers...)
				got, err := listen(t.Context(), NewAnthropic(claude(client)), say("x"))
				f, _ := errors.AsType[*Fault](err)
				if tt.text == "" && err != nil || tt.text != "" && (f == nil || f.Text != tt.text || f.Shown != tt.shown) {
					t.Errorf("error %v (%+v), want %q shown as %q", err, f, tt.text, tt.shown)
				}
				if got.Text != tt.said || server.requests() != tt.requests {
					t.Errorf("said %q in %d requests, want %q in %d", got.Text, server.requests(), tt.said, tt.requests)
				}
			})
		})
	}
}

func TestAnthropicFaultsShowNoSecrets(t *testing.T) {
	const key, other = "plain-words-as-a-key", "another secret"
	_, client := serve(t, refuse(401, `{"type":"error","error":{"message":"no such key: `+key+`, nor `+other+`"}}`))
	o := claude(client)
	o.Key, o.Headers = key, []Header{{"X-Extra", "Bearer " + other}}
	_, err := listen(t.Context(), NewAnthropic(o), say("x"))
	f, ok := errors.AsType[*Fault](err)
	if !ok || f.Text != "401 no such key: ***, nor ***" || f.Shown != f.Text {
		t.Errorf("%v (%+v)", err, f)
	}
}

func TestAnthropicSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := serve(t, events(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, began, words("a")))
		o := claude(client)
		o.Idle = time.Minute
		start := time.Now()
		got, err := listen(t.Context(), NewAnthropic(o), say("x"))
		if f, ok := errors.AsType[*Fault](err); !ok || f.Shown != shownTimeout || got.Text != "a" || time.Since(start) != time.Minute {
			t.Errorf("%+v, %v after %v", got, err, time.Since(start))
		}
	})
}
