package model

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/ssestream"
)

const (
	// DefaultIdle is how long a server may be silent before a turn is given up.
	DefaultIdle = 10 * time.Minute

	maxRetries   = 2 // beside the first attempt
	maxErrorBody = 64 << 10
	minSecret    = 6 // shorter values of headers are words, not secrets
)

// OpenAIOptions describe a model of an OpenAI-compatible server.
type OpenAIOptions struct {
	// BaseURL is the address that "/chat/completions" is appended to.
	BaseURL string
	// Key goes into the Authorization header.
	Key string
	// Headers are sent with every request; they win over our own.
	Headers []Header
	// Model is the server's name of the model.
	Model string
	// MaxTokens bounds the answer; 0 leaves it to the server.
	MaxTokens int64
	// Reasoning and Images say what the model can do.
	Reasoning, Images bool
	// Compat says what the server understands.
	Compat Compat
	// Idle is how long the server may be silent; 0 means DefaultIdle.
	Idle time.Duration
	// Client makes the requests; nil means http.DefaultClient.
	Client *http.Client
}

// Header is one HTTP header.
type Header struct{ Name, Value string }

// OpenAI is a model behind the chat completions protocol.
//
// A request that fails with 408, 409, 429, 5xx or without an answer is tried
// twice more, after 0.5 s doubling to at most 8 s, or when Retry-After says;
// never once the server has begun to answer.
type OpenAI struct {
	o           OpenAIOptions
	completions openai.ChatCompletionService
}

// NewOpenAI is the model that o describes. It makes no request.
func NewOpenAI(o OpenAIOptions) *OpenAI {
	if o.Idle <= 0 {
		o.Idle = DefaultIdle
	}
	if o.Client == nil {
		o.Client = http.DefaultClient
	}
	opts := []option.RequestOption{
		option.WithBaseURL(o.BaseURL),
		option.WithAPIKey(o.Key),
		option.WithHTTPClient(o.Client),
		option.WithMaxRetries(maxRetries),
		option.WithHeader("User-Agent", "parley"),
	}
	for _, h := range o.Headers {
		opts = append(opts, option.WithHeader(h.Name, h.Value))
	}
	// The service is made directly, not through openai.NewClient, which would
	// send what OPENAI_* variables of the environment say to any server.
	return &OpenAI{o: o, completions: openai.NewChatCompletionService(opts...)}
}

var errSilent = errors.New("the model server sent nothing")

// Stream asks the server for one turn.
func (m *OpenAI) Stream(ctx context.Context, t Turn) iter.Seq2[Delta, error] {
	return func(yield func(Delta, error) bool) {
		watched, end := watch(ctx, m.o.Idle)
		defer end.stop()
		var a attempt
		stream := m.completions.NewStreaming(watched, m.params(t),
			option.WithMiddleware(a.observe(end)))
		defer func() { _ = stream.Close() }()
		heard, over := m.read(stream, end, yield)
		if over {
			return
		}
		if err := stream.Err(); err != nil {
			yield(Delta{}, m.withoutSecrets(a.fault(ctx, watched, err)))
		} else if !heard && !a.events {
			yield(Delta{}, NewFault("The model server's answer was not a stream of events."))
		}
	}
}

// withoutSecrets hides in a fault what we sent to be let in: there are servers
// that repeat it when they refuse it, and the text goes into the transcript.
func (m *OpenAI) withoutSecrets(err error) error {
	f, ok := errors.AsType[*Fault](err)
	if !ok {
		return err
	}
	secrets := []string{m.o.Key}
	for _, h := range m.o.Headers {
		secrets = append(secrets, h.Value, strings.TrimPrefix(h.Value, "Bearer "))
	}
	for _, secret := range secrets {
		if len(secret) >= minSecret {
			f.Text, f.Shown = strings.ReplaceAll(f.Text, secret, "***"), strings.ReplaceAll(f.Shown, secret, "***")
		}
	}
	return f
}

// read yields what the stream holds. It reports whether there was anything in
// it, and whether the turn is over with nothing more to yield.
func (m *OpenAI) read(stream *ssestream.Stream[openai.ChatCompletionChunk], w *watchdog, yield func(Delta, error) bool) (heard, over bool) {
	var named bool
	for stream.Next() {
		heard = true
		w.reset()
		c := stream.Current()
		d, err := readChunk(&c)
		if named {
			d.ResponseID = ""
		}
		named = named || d.ResponseID != ""
		if err == nil && d == (Delta{}) {
			continue
		}
		if !yield(d, err) || err != nil {
			return heard, true
		}
	}
	return heard, false
}

// attempt remembers how the server answered the last request of a turn.
type attempt struct {
	begun  bool // it answered 2xx
	events bool // with a stream of events, which may be empty
	status int  // of a refusal
	body   []byte
}

// observe sees each attempt: it keeps the text of a refusal, which the library
// would reduce to known fields.
func (a *attempt) observe(w *watchdog) option.Middleware {
	return func(r *http.Request, next option.MiddlewareNext) (*http.Response, error) {
		w.reset()
		*a = attempt{}
		res, err := next(r)
		if err != nil || res == nil {
			return res, err
		}
		w.reset()
		if res.StatusCode < http.StatusBadRequest {
			a.begun = true
			a.events = strings.HasPrefix(strings.ToLower(res.Header.Get("Content-Type")), "text/event-stream")
			return res, nil
		}
		a.status = res.StatusCode
		body, err := io.ReadAll(io.LimitReader(res.Body, maxErrorBody))
		_ = res.Body.Close()
		if err == nil {
			a.body = body
		}
		// The library parses what follows as a JSON error; ours is kept above.
		res.Body = io.NopCloser(bytes.NewReader([]byte(`{}`)))
		return res, nil
	}
}

// fault says what went wrong: the caller ended it, the server was silent, it
// refused, or the network failed.
func (a *attempt) fault(ctx, watched context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(context.Cause(watched), errSilent) {
		return &Fault{Text: "Request timed out.", Shown: shownTimeout, Err: errSilent}
	}
	if a.status != 0 {
		return bodyFault(a.status, a.body)
	}
	if e, ok := errors.AsType[*ssestream.StreamError](err); ok {
		return streamFault(e)
	}
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		return NewFault("The model server's answer is not valid JSON: " + err.Error())
	}
	return networkFault(err, a.begun)
}

// streamFault is the fault of an error that the server sent in its answer.
func streamFault(e *ssestream.StreamError) *Fault {
	if message := errorMessage(e.Event.Data); message != "" {
		return NewFault(message)
	}
	return NewFault(strings.TrimSpace(string(e.Event.Data)))
}

// watchdog ends a context when nothing was heard for a while. It belongs to the
// goroutine that streams.
type watchdog struct {
	idle  time.Duration
	timer *time.Timer
	end   context.CancelCauseFunc
}

func watch(ctx context.Context, idle time.Duration) (context.Context, *watchdog) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watchdog{idle: idle, end: cancel}
	w.timer = time.AfterFunc(idle, func() { cancel(errSilent) })
	return ctx, w
}

// reset counts the silence from now.
func (w *watchdog) reset() {
	w.timer.Reset(w.idle)
}

func (w *watchdog) stop() {
	w.timer.Stop()
	w.end(nil)
}
