package model

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/ssestream"
)

const (
	// DefaultIdle is how long a server may be silent before a turn is given up.
	DefaultIdle = 10 * time.Minute

	maxRetries = 2 // beside the first attempt
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

// Stream asks the server for one turn.
func (m *OpenAI) Stream(ctx context.Context, t Turn) iter.Seq2[Delta, error] {
	return func(yield func(Delta, error) bool) {
		watched, end := watch(ctx, m.o.Idle)
		defer end.stop()
		var a attempt
		stream := m.open(watched, t, a.observe(end))
		defer func() { _ = stream.Close() }()
		heard, over := m.read(stream, func() { end.reset(); a.heard() }, yield)
		if over {
			return
		}
		if err := stream.Err(); err != nil {
			yield(Delta{}, withoutSecrets(a.fault(ctx, watched, err, toldByOpenAI), m.o.Key, m.o.Headers))
		} else if !heard && !a.events {
			yield(Delta{}, NewFault("The model server's answer was not a stream of events."))
		}
	}
}

// open makes the request. The library's own chunks have dozens of fields each of
// which is decoded and allocated, for every word of an answer, so ours are read
// from the response instead.
func (m *OpenAI) open(ctx context.Context, t Turn, observe middleware) *ssestream.Stream[rawChunk] {
	body, err := m.body(t)
	if err != nil {
		return ssestream.NewStream[rawChunk](nil, err)
	}
	var res *http.Response
	opened := m.completions.NewStreaming(ctx, openai.ChatCompletionNewParams{}, option.WithRequestBody("application/json", body),
		option.WithMiddleware(observe), option.WithResponseInto(&res))
	if err := opened.Err(); err != nil {
		return ssestream.NewStream[rawChunk](nil, err)
	}
	return ssestream.NewStream[rawChunk](ssestream.NewDecoder(res), nil)
}

// read yields what the stream holds and calls sign for each event. It reports
// whether there was anything in it, and whether the turn is over with nothing
// more to yield.
func (m *OpenAI) read(stream *ssestream.Stream[rawChunk], sign func(), yield func(Delta, error) bool) (heard, over bool) {
	var named bool
	for stream.Next() {
		heard = true
		sign()
		d, err := readChunk(stream.Current())
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

// toldByOpenAI is what the server said in its answer went wrong, nil when that is
// not why err happened.
func toldByOpenAI(err error) []byte {
	if e, ok := errors.AsType[*ssestream.StreamError](err); ok {
		return e.Event.Data
	}
	return nil
}
