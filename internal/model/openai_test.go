package model

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/openai/openai-go/v3"
	"github.com/parleyd/parley/internal/rawjson"
)

func options(c *http.Client) OpenAIOptions {
	return OpenAIOptions{
		BaseURL: "http://models.test/v1", Key: "sk-test", Model: "m1", MaxTokens: 4096,
		Compat: DetectCompat("http://models.test/v1", nil), Client: c,
	}
}

func TestRequestSaysWhatTheServerUnderstands(t *testing.T) {
	talk := Turn{
		System: "be brief", Thinking: "high",
		Messages: []Message{
			{Role: User, Text: "a <b> & c"},
			{Role: Assistant, Text: "b"},
			{Role: User, Text: "look", Images: []Image{{MIME: "image/png", Base64: "aaaa"}}},
		},
	}
	plainTalk := `[{"role":"system","content":"be brief"},{"role":"user","content":[{"type":"text","text":"a <b> & c"}]},` +
		`{"role":"assistant","content":"b"},{"role":"user","content":[{"type":"text","text":"look"}]}]`
	for name, tt := range map[string]struct {
		change func(*OpenAIOptions)
		want   string
	}{
		"plain": {
			func(*OpenAIOptions) {},
			`{"model":"m1","messages":` + plainTalk + `,"stream":true,"max_completion_tokens":4096,"store":false}`,
		},
		"everything": {
			func(o *OpenAIOptions) {
				o.Reasoning, o.Images, o.Compat.UsageInStreaming = true, true, true
			},
			`{"model":"m1","messages":[{"role":"system","content":"be brief"},{"role":"user","content":[{"type":"text","text":"a <b> & c"}]},` +
				`{"role":"assistant","content":"b"},{"role":"user","content":[{"type":"text","text":"look"},` +
				`{"type":"image_url","image_url":{"url":"data:image/png;base64,aaaa"}}]}],` +
				`"stream":true,"stream_options":{"include_usage":true},"max_completion_tokens":4096,"store":false,"reasoning_effort":"high"}`,
		},
		"old server": {
			func(o *OpenAIOptions) {
				o.Reasoning = true
				o.Compat = Compat{MaxTokensField: maxTokens}
			},
			`{"model":"m1","messages":` + plainTalk + `,"stream":true,"max_tokens":4096}`,
		},
		"no limit": {
			func(o *OpenAIOptions) { o.MaxTokens = 0 },
			`{"model":"m1","messages":` + plainTalk + `,"stream":true,"store":false}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := serve(t, stream(done, content("ok"), finished))
			o := options(client)
			tt.change(&o)
			if _, err := listen(t.Context(), NewOpenAI(o), talk); err != nil {
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
			if got := server.headers[0].Get("Authorization"); got != "Bearer sk-test" {
				t.Errorf("Authorization = %q", got)
			}
		})
	}
}

// What the environment says of OpenAI's own service is not for other servers.
func TestRequestTakesNothingFromTheEnvironment(t *testing.T) {
	t.Setenv("OPENAI_ORG_ID", "org-secret")
	t.Setenv("OPENAI_API_KEY", "sk-secret")
	t.Setenv("OPENAI_BASE_URL", "http://elsewhere.test")
	server, client := serve(t, stream(done, finished))
	o := options(client)
	o.Headers = []Header{{"X-Team", "blue"}}
	if _, err := listen(t.Context(), NewOpenAI(o), say("x")); err != nil {
		t.Fatal(err)
	}
	h := server.headers[0]
	if h.Get("OpenAI-Organization") != "" || h.Get("Authorization") != "Bearer sk-test" || h.Get("X-Team") != "blue" {
		t.Errorf("headers = %v", h)
	}
}

func TestStreamReadsTheAnswer(t *testing.T) {
	for name, tt := range map[string]struct {
		chunks []string
		end    http.HandlerFunc
		want   heard
	}{
		"words and usage behind the end": {
			[]string{content("a "), content("b"), finished, `{"id":"c1","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":3}}}`},
			done,
			heard{Text: "a b", ResponseID: "c1", Stop: Stop, Usage: &Usage{Input: 6, Output: 5, CacheRead: 4}},
		},
		"usage in a choice, no DONE": {
			[]string{`{"id":"x","choices":[{"delta":{"content":"a"},"usage":{"prompt_tokens":1.0,"completion_tokens":2},"finish_reason":"length"}]}`},
			nil,
			heard{Text: "a", ResponseID: "x", Stop: Length, Usage: &Usage{Input: 1, Output: 2}},
		},
		"reasoning under three names": {
			[]string{
				`{"choices":[{"delta":{"reasoning_content":"","reasoning":"r1 "}}]}`,
				`{"choices":[{"delta":{"reasoning_text":"r2"}}]}`, content("a"), finished,
			},
			done,
			heard{Text: "a", Thinking: "r1 r2", Signature: "reasoning_text", ResponseID: "c1", Stop: Stop},
		},
		"null usage and unknown members": {
			[]string{`{"id":"c1","choices":[{"delta":{"content":"a","x":1}}],"usage":null,"y":[]}`, finished},
			done,
			heard{Text: "a", ResponseID: "c1", Stop: Stop},
		},
		"nothing said": {[]string{finished}, done, heard{ResponseID: "c1", Stop: Stop}},
	} {
		t.Run(name, func(t *testing.T) {
			_, client := serve(t, stream(tt.end, tt.chunks...))
			got, err := listen(t.Context(), NewOpenAI(options(client)), say("x"))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("answer (-want +got):\n%s", d)
			}
		})
	}
}

// A stream in which nothing is said is an empty answer, not a failure.
func TestStreamWithoutChunksIsAnEmptyAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := serve(t, stream(done))
		got, err := listen(t.Context(), NewOpenAI(options(client)), say("x"))
		if err != nil || got != (heard{}) {
			t.Errorf("heard %+v, error %v", got, err)
		}
		if n := server.requests(); n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
	})
}

func TestFailures(t *testing.T) {
	for name, tt := range map[string]struct {
		handlers       []http.HandlerFunc
		text, shown    string
		said           string
		requests       int
		atLeast, below time.Duration
	}{
		"401 is not tried again": {
			handlers: []http.HandlerFunc{refuse(401, `{"error":{"message":"scripted failure 401","type":"x"}}`)},
			text:     "401 scripted failure 401", shown: "401 scripted failure 401", requests: 1, below: time.Second,
		},
		"400 with a text": {
			handlers: []http.HandlerFunc{refuse(400, "no such thing\n")},
			text:     "400 no such thing", shown: "400 no such thing", requests: 1, below: time.Second,
		},
		"404 without a body": {
			handlers: []http.HandlerFunc{refuse(404, "")},
			text:     "404 status code (no body)", shown: "404 status code (no body)", requests: 1, below: time.Second,
		},
		"500 three times": {
			handlers: []http.HandlerFunc{refuse(500, `{"error":{"message":"boom"}}`)},
			text:     "500 boom", shown: "500 boom", requests: 3, atLeast: time.Second, below: 3 * time.Second,
		},
		"429 without end": {
			handlers: []http.HandlerFunc{refuse(429, `{"error":"slow down"}`)},
			text:     "429 slow down", shown: shownRateLimit, requests: 3, atLeast: time.Second, below: 3 * time.Second,
		},
		"cut stream": {
			handlers: []http.HandlerFunc{stream(cut, content("cut "), content("short"))},
			said:     "cut short", text: "Connection error: unexpected EOF", shown: shownNetwork, requests: 1, below: time.Second,
		},
		"cut before the answer": {
			handlers: []http.HandlerFunc{cut},
			text:     "Connection error.", shown: shownNetwork, requests: 3, below: 3 * time.Second,
		},
		"malformed event": {
			handlers: []http.HandlerFunc{stream(done, content("a"), `{"choices":[`)},
			said:     "a", text: "The model server's answer is not valid JSON: unexpected end of JSON input",
			shown: "The model server's answer is not valid JSON: unexpected end of JSON input", requests: 1, below: time.Second,
		},
		"no events": {
			handlers: []http.HandlerFunc{refuse(200, `{"choices":[]}`, "Content-Type", "application/json")},
			text:     "The model server's answer was not a stream of events.",
			shown:    "The model server's answer was not a stream of events.", requests: 1, below: time.Second,
		},
		"error in the stream": {
			handlers: []http.HandlerFunc{stream(done, content("a"), `{"error":{"message":"model is overloaded"}}`)},
			said:     "a", text: "model is overloaded", shown: shownOverloaded, requests: 1, below: time.Second,
		},
		"odd finish": {
			handlers: []http.HandlerFunc{stream(done, content("a"), `{"choices":[{"delta":{},"finish_reason":"content_filter"}]}`)},
			said:     "a", text: "Provider finish_reason: content_filter", shown: "Provider finish_reason: content_filter", requests: 1, below: time.Second,
		},
		"stalled before the answer": {
			handlers: []http.HandlerFunc{func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
			text:     "Request timed out.", shown: shownTimeout, requests: 1, atLeast: DefaultIdle, below: DefaultIdle + time.Second,
		},
		"stalled in the answer": {
			handlers: []http.HandlerFunc{stream(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, content("a"))},
			said:     "a", text: "Request timed out.", shown: shownTimeout, requests: 1, atLeast: DefaultIdle, below: DefaultIdle + time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, client := serve(t, tt.handlers...)
				start := time.Now()
				got, err := listen(t.Context(), NewOpenAI(options(client)), say("x"))
				f, ok := errors.AsType[*Fault](err)
				if !ok {
					t.Fatalf("error = %v (%T), want a *Fault", err, err)
				}
				if got.Text != tt.said || f.Text != tt.text || f.Shown != tt.shown {
					t.Errorf("said %q, then text %q, shown %q;\nwant %q, %q, %q", got.Text, f.Text, f.Shown, tt.said, tt.text, tt.shown)
				}
				if n := server.requests(); n != tt.requests {
					t.Errorf("%d requests, want %d", n, tt.requests)
				}
				if took := time.Since(start); took < tt.atLeast || took > tt.below {
					t.Errorf("took %v, want %v to %v", took, tt.atLeast, tt.below)
				}
			})
		})
	}
}

// A server that repeats the key when it refuses it does not bring it into a
// transcript, whatever the key looks like.
func TestRefusedKeyIsNotRepeated(t *testing.T) {
	const key, other = "plain-words-as-a-key", "another secret"
	for name, h := range map[string]http.HandlerFunc{
		"body":   refuse(401, `{"error":{"message":"no such key: `+key+`, nor `+other+`"}}`),
		"text":   refuse(403, "who is "+key+" "+other),
		"stream": stream(done, `{"error":{"message":"`+key+` and `+other+` have expired"}}`),
	} {
		_, client := serve(t, h)
		o := options(client)
		o.Key, o.Headers = key, []Header{{"X-Extra", "Bearer " + other}}
		_, err := listen(t.Context(), NewOpenAI(o), say("x"))
		f, ok := errors.AsType[*Fault](err)
		if !ok {
			t.Fatalf("%s: %v", name, err)
		}
		if text := f.Text + f.Shown; strings.Contains(text, key) || strings.Contains(text, other) || !strings.Contains(text, "***") {
			t.Errorf("%s: %q, shown %q", name, f.Text, f.Shown)
		}
	}
}

func TestTriesAgainBeforeTheFirstToken(t *testing.T) {
	for name, tt := range map[string]struct {
		first          http.HandlerFunc
		atLeast, below time.Duration
	}{
		"500":                  {refuse(500, "x"), 375 * time.Millisecond, 500 * time.Millisecond},
		"408":                  {refuse(408, "x"), 375 * time.Millisecond, 500 * time.Millisecond},
		"429 with Retry-After": {refuse(429, "x", "Retry-After", "7"), 7 * time.Second, 7 * time.Second},
		"hang-up":              {cut, 375 * time.Millisecond, 500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, client := serve(t, tt.first, stream(done, content("ok"), finished))
				start := time.Now()
				got, err := listen(t.Context(), NewOpenAI(options(client)), say("x"))
				if err != nil || got.Text != "ok" {
					t.Fatalf("answer %q, error %v", got.Text, err)
				}
				if took := time.Since(start); took < tt.atLeast || took > tt.below {
					t.Errorf("took %v, want %v to %v", took, tt.atLeast, tt.below)
				}
				if n := server.requests(); n != 2 {
					t.Errorf("%d requests, want 2", n)
				}
			})
		})
	}
}

// failingTransport fails every request in the same way.
type failingTransport struct{ err error }

func (f failingTransport) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

func TestNetworkFailuresAreToldPlainly(t *testing.T) {
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"refused":     {dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), shownRefused},
		"reset":       {dial(os.NewSyscallError("read", syscall.ECONNRESET)), shownInterrupted},
		"no name":     {dial(&net.DNSError{Err: "no such host", Name: "models.test"}), shownDNS},
		"unreachable": {dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), shownUnreachable},
		"timeout":     {dial(os.ErrDeadlineExceeded), shownTimeout},
		"other":       {errors.New("tls: bad certificate"), shownNetwork},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := NewOpenAI(options(&http.Client{Transport: failingTransport{tt.err}}))
				_, err := listen(t.Context(), m, say("x"))
				f, ok := errors.AsType[*Fault](err)
				if !ok || f.Shown != tt.want {
					t.Errorf("error = %#v, want shown %q", err, tt.want)
				}
			})
		})
	}
}

func TestStreamEndsWithItsContext(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, handler := range map[string]http.HandlerFunc{
		"before the answer": hang,
		"in the answer":     stream(hang, content("a")),
		"between attempts":  refuse(500, "x", "Retry-After", "60"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, client := serve(t, handler)
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(3*time.Second, cancel)
				start := time.Now()
				_, err := listen(ctx, NewOpenAI(options(client)), say("x"))
				if !errors.Is(err, context.Canceled) {
					t.Errorf("error = %v, want canceled", err)
				}
				if took := time.Since(start); took != 3*time.Second {
					t.Errorf("took %v, want 3s", took)
				}
			})
		})
	}
}

func TestStreamStopsWhenNobodyListens(t *testing.T) {
	_, client := serve(t, stream(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, content("a"), content("b")))
	n := 0
	for range NewOpenAI(options(client)).Stream(t.Context(), say("x")) {
		n++
		break
	}
	if n != 1 {
		t.Errorf("heard %d pieces, want 1", n)
	}
}

func TestDetectCompat(t *testing.T) {
	standard := Compat{Store: true, ReasoningEffort: true, MaxTokensField: maxCompletionTokens}
	for _, tt := range []struct {
		url, configured string
		want            Compat
	}{
		{"http://127.0.0.1:8080/v1", "", standard},
		{"https://api.openai.com/v1", "", Compat{Store: true, UsageInStreaming: true, ReasoningEffort: true, MaxTokensField: maxCompletionTokens}},
		{"https://api.mistral.ai/v1", "", Compat{ReasoningEffort: true, MaxTokensField: maxTokens}},
		{"https://api.x.ai/v1", "", Compat{MaxTokensField: maxCompletionTokens}},
		{"https://notx.ai/v1", "", standard},
		{"http://127.0.0.1/v1", `{"supportsStore":false,"supportsUsageInStreaming":true,"supportsReasoningEffort":false,"maxTokensField":"max_tokens"}`,
			Compat{UsageInStreaming: true, MaxTokensField: maxTokens}},
		{"http://127.0.0.1/v1", `{"supportsStore":"no","maxTokensField":"other"}`, standard},
	} {
		if d := cmp.Diff(tt.want, DetectCompat(tt.url, rawjson.Value(tt.configured))); d != "" {
			t.Errorf("DetectCompat(%s, %s) (-want +got):\n%s", tt.url, tt.configured, d)
		}
	}
}

// What is sent is what the library would send, whatever stands in the texts.
func TestBodyIsWhatTheLibraryWouldSend(t *testing.T) {
	odd := "a\"b\\c\n<&>\u2028\x01é😀"
	turns := []Turn{
		{Messages: []Message{{Role: User, Text: "one"}}},
		{System: odd, Messages: []Message{{Role: User, Text: odd}, {Role: Assistant, Text: odd}, {Role: User}}},
		{Messages: []Message{{Role: User, Text: "see", Images: []Image{{MIME: "image/png", Base64: "QQ=="}, {MIME: "image/gif", Base64: "Qg=="}}}}},
	}
	for _, images := range []bool{false, true} {
		m := NewOpenAI(OpenAIOptions{Model: "m", MaxTokens: 5, Images: images, Compat: Compat{Store: true, UsageInStreaming: true, MaxTokensField: maxTokens}})
		for _, turn := range turns {
			theirs := m.params(turn)
			if turn.System != "" {
				theirs.Messages = append(theirs.Messages, openai.SystemMessage(turn.System))
			}
			for _, msg := range turn.Messages {
				if msg.Role == Assistant {
					theirs.Messages = append(theirs.Messages, openai.AssistantMessage(msg.Text))
					continue
				}
				parts := []openai.ChatCompletionContentPartUnionParam{openai.TextContentPart(msg.Text)}
				for _, img := range msg.Images {
					if images {
						url := openai.ChatCompletionContentPartImageImageURLParam{URL: "data:" + img.MIME + ";base64," + img.Base64}
						parts = append(parts, openai.ImageContentPart(url))
					}
				}
				theirs.Messages = append(theirs.Messages, openai.UserMessage(parts))
			}
			want, err := theirs.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			got, err := m.body(turn)
			if err != nil {
				t.Fatal(err)
			}
			var a, b any
			if err := errors.Join(json.Unmarshal(want, &a), json.Unmarshal(got, &b)); err != nil {
				t.Fatalf("%v in %s", err, got)
			}
			if diff := cmp.Diff(a, b); diff != "" {
				t.Errorf("body (-library +ours):\n%s", diff)
			}
		}
	}
}
