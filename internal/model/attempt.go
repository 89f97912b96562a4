package model

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	maxErrorBody = 64 << 10 // how much of a refusal is kept
	minSecret    = 6        // shorter values of headers are words, not secrets
	maxEvent     = 32 << 20 // one event of a stream
)

var (
	errSilent = errors.New("the model server sent nothing")
	errVast   = errors.New("the model server sent an event without end")
)

// middleware stands between a library and the requests that it makes.
type middleware = func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error)

// attempt remembers how the server answered the last request of a turn.
type attempt struct {
	begun  bool // it answered 2xx
	events bool // with a stream of events, which may be empty
	body   *bounded
	status int    // of a refusal
	words  []byte // its body
}

// observe sees each attempt: it keeps the text of a refusal, which the library
// would reduce to known fields.
func (a *attempt) observe(w *watchdog) middleware {
	return func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		w.reset()
		*a = attempt{}
		res, err := next(r)
		if err != nil || res == nil {
			return res, err
		}
		w.reset()
		if res.StatusCode < http.StatusBadRequest {
			a.begun = true
			a.body = &bounded{ReadCloser: res.Body, left: maxEvent}
			res.Body = a.body
			a.events = strings.HasPrefix(strings.ToLower(res.Header.Get("Content-Type")), "text/event-stream")
			return res, nil
		}
		a.status = res.StatusCode
		body, err := io.ReadAll(io.LimitReader(res.Body, maxErrorBody))
		_ = res.Body.Close()
		if err == nil {
			a.words = body
		}
		// The library parses what follows as a JSON error; ours is kept above.
		res.Body = io.NopCloser(bytes.NewReader([]byte(`{}`)))
		return res, nil
	}
}

// heard says that a whole event has come.
func (a *attempt) heard() {
	if a.body != nil {
		a.body.left = maxEvent
	}
}

// bounded reads the body of an answer and fails when too much comes between two
// events: the libraries gather an event in memory until it ends. It belongs to
// the goroutine that streams.
type bounded struct {
	io.ReadCloser
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errVast
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= n
	return n, err
}

// fault says what went wrong: the caller ended it, the server was silent, it
// refused, it told so in its answer, or the network failed. told is the server's
// own words in an answer that had begun, nil when err is something else.
func (a *attempt) fault(ctx, watched context.Context, err error, told func(error) []byte) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(context.Cause(watched), errSilent) {
		return &Fault{Text: "Request timed out.", Shown: shownTimeout, Err: errSilent}
	}
	if a.status != 0 {
		return bodyFault(a.status, a.words)
	}
	if errors.Is(err, errVast) || errors.Is(err, bufio.ErrTooLong) {
		return NewFault(fmt.Sprintf("The model server sent an event of more than %d bytes.", maxEvent))
	}
	if words := told(err); words != nil {
		return streamFault(words)
	}
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		return NewFault("The model server's answer is not valid JSON: " + err.Error())
	}
	return networkFault(err, a.begun)
}

// streamFault is the fault of an error that the server sent in its answer.
func streamFault(words []byte) *Fault {
	if message := errorMessage(words); message != "" {
		return NewFault(message)
	}
	return NewFault(strings.TrimSpace(string(words)))
}

// withoutSecrets hides in a fault what we sent to be let in: there are servers
// that repeat it when they refuse it, and the text goes into the transcript.
func withoutSecrets(err error, key string, headers []Header) error {
	f, ok := errors.AsType[*Fault](err)
	if !ok {
		return err
	}
	secrets := []string{key}
	for _, h := range headers {
		secrets = append(secrets, h.Value, strings.TrimPrefix(h.Value, "Bearer "))
	}
	for _, secret := range secrets {
		if len(secret) >= minSecret {
			f.Text, f.Shown = strings.ReplaceAll(f.Text, secret, "***"), strings.ReplaceAll(f.Shown, secret, "***")
		}
	}
	return f
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
