package model

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
)

// AnthropicOptions describe a model of a server that speaks Anthropic's
// messages protocol.
type AnthropicOptions struct {
	// BaseURL is the address that "/v1/messages" is appended to.
	BaseURL string
	// Key goes into the x-api-key header.
	Key string
	// Headers are sent with every request; they win over our own.
	Headers []Header
	// Model is the server's name of the model.
	Model string
	// MaxTokens bounds the answer; the protocol asks for a bound, so 0 means
	// DefaultMaxTokens.
	MaxTokens int64
	// Reasoning and Images say what the model can do.
	Reasoning, Images bool
	// Idle is how long the server may be silent; 0 means DefaultIdle.
	Idle time.Duration
	// Client makes the requests; nil means http.DefaultClient.
	Client *http.Client
}

// DefaultMaxTokens is the bound of an answer where none is configured.
const DefaultMaxTokens = 8192

// Anthropic is a model behind the messages protocol. It retries like OpenAI.
type Anthropic struct {
	o        AnthropicOptions
	messages anthropic.MessageService
}

// NewAnthropic is the model that o describes. It makes no request.
func NewAnthropic(o AnthropicOptions) *Anthropic {
	if o.Idle <= 0 {
		o.Idle = DefaultIdle
	}
	if o.Client == nil {
		o.Client = http.DefaultClient
	}
	if o.MaxTokens <= 0 {
		o.MaxTokens = DefaultMaxTokens
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
	// As with OpenAI, the environment has no say in what a server gets.
	return &Anthropic{o: o, messages: anthropic.NewMessageService(opts...)}
}

// Stream asks the server for one turn.
func (m *Anthropic) Stream(ctx context.Context, t Turn) iter.Seq2[Delta, error] {
	return func(yield func(Delta, error) bool) {
		watched, end := watch(ctx, m.o.Idle)
		defer end.stop()
		var a attempt
		stream := m.messages.NewStreaming(watched, m.params(t), option.WithMiddleware(a.observe(end)))
		defer func() { _ = stream.Close() }()
		var s turnSoFar
		for stream.Next() {
			end.reset()
			a.heard()
			event := stream.Current()
			d, err := s.read(&event)
			if err == nil && d == (Delta{}) {
				continue
			}
			if !yield(d, err) || err != nil {
				return
			}
		}
		switch err := stream.Err(); {
		case err != nil:
			yield(Delta{}, withoutSecrets(a.fault(ctx, watched, err, toldByAnthropic), m.o.Key, m.o.Headers))
		case !s.begun && !a.events:
			yield(Delta{}, NewFault("The model server's answer was not a stream of events."))
		case s.begun && !s.ended:
			// The end of the body is no end of the answer in this protocol.
			yield(Delta{}, NewFault("The model server ended its answer before it was complete."))
		}
	}
}

// toldByAnthropic is what the server said in its answer went wrong, nil when that
// is not why err happened.
func toldByAnthropic(err error) []byte {
	if e, ok := errors.AsType[*anthropic.Error](err); ok {
		return []byte(e.RawJSON())
	}
	if _, words, ok := strings.Cut(err.Error(), "received error while streaming: "); ok {
		return []byte(words)
	}
	return nil
}

// turnSoFar is what earlier events of a stream have said.
type turnSoFar struct {
	begun, ended bool
	usage        Usage
}

// read is what one event adds to the answer. The error is a *Fault.
func (s *turnSoFar) read(e *anthropic.MessageStreamEventUnion) (Delta, error) {
	switch e.Type {
	case "message_start":
		s.begun = true
		u := e.Message.Usage
		s.usage = Usage{u.InputTokens, u.OutputTokens, u.CacheReadInputTokens, u.CacheCreationInputTokens}
		return Delta{ResponseID: e.Message.ID, Usage: s.count()}, nil
	case "content_block_delta":
		switch e.Delta.Type {
		case "text_delta":
			return Delta{Text: e.Delta.Text}, nil
		case "thinking_delta":
			return Delta{Thinking: e.Delta.Thinking}, nil
		case "signature_delta":
			return Delta{Signature: e.Delta.Signature}, nil
		}
	case "message_delta":
		s.update(e)
		stop, err := stopOf(string(e.Delta.StopReason))
		return Delta{Stop: stop, Usage: s.count()}, err
	case "message_stop":
		s.ended = true
	}
	return Delta{}, nil
}

// update takes the counts that message_delta has: they are the whole so far, and
// those that are left out stay.
func (s *turnSoFar) update(e *anthropic.MessageStreamEventUnion) {
	u := e.Usage
	for _, c := range []struct {
		there bool
		value int64
		to    *int64
	}{
		{u.JSON.InputTokens.Valid(), u.InputTokens, &s.usage.Input},
		{u.JSON.OutputTokens.Valid(), u.OutputTokens, &s.usage.Output},
		{u.JSON.CacheReadInputTokens.Valid(), u.CacheReadInputTokens, &s.usage.CacheRead},
		{u.JSON.CacheCreationInputTokens.Valid(), u.CacheCreationInputTokens, &s.usage.CacheWrite},
	} {
		if c.there {
			*c.to = c.value
		}
	}
}

func (s *turnSoFar) count() *Usage {
	u := s.usage
	return &u
}

// stopOf is what a stop reason of the protocol is in transcripts.
func stopOf(reason string) (StopReason, error) {
	switch reason {
	case "":
		return "", nil
	case "end_turn", "stop_sequence", "pause_turn":
		return Stop, nil
	case "max_tokens", "model_context_window_exceeded":
		return Length, nil
	case "tool_use":
		return ToolUse, nil
	}
	return "", NewFault("Provider stop_reason: " + reason)
}
