package client_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parleyd/parley/client"
)

// answer is what a loop over Ask came to.
type answer struct {
	text   string // put together from the pieces
	last   client.Piece
	pieces int
	err    error
}

func ask(t *testing.T, c client.Connection, p client.ChatSendParams) (a answer) {
	t.Helper()
	for piece, err := range client.Ask(t.Context(), c, p) {
		if err != nil {
			a.err = err
			continue
		}
		if piece.Replaced {
			a.text = ""
		}
		a.text += piece.Added
		a.last, a.pieces = piece, a.pieces+1
		if a.text != piece.Text {
			t.Errorf("the pieces say %q, the text is %q", a.text, piece.Text)
		}
	}
	return a
}

func TestAskHandsOutTheAnswer(t *testing.T) {
	near, _ := live(t)
	c := connect(t, near)
	got := ask(t, c, client.ChatSendParams{SessionKey: "one", Message: "Hello there"})
	if got.err != nil || got.text != "echo: Hello there" || got.last.State != "final" || got.last.RunID == "" {
		t.Errorf("got %+v", got)
	}
	// A message that was answered already is not answered again.
	again := client.ChatSendParams{SessionKey: "one", Message: "Once", IdempotencyKey: "k"}
	for range 2 {
		if got := ask(t, c, again); got.err != nil || got.text != "echo: Once" || got.last.State != "final" {
			t.Errorf("got %+v", got)
		}
	}
	if h, err := client.ChatHistory.Call(t.Context(), c, client.ChatHistoryParams{SessionKey: "one"}); err != nil || len(h.Messages) != 4 {
		t.Errorf("history: %v, %v", h.Messages, err)
	}
	// Commands and stop phrases have no run of a model.
	if got := ask(t, c, client.ChatSendParams{SessionKey: "one", Message: "/help"}); got.err != nil || !strings.Contains(got.text, "/new") {
		t.Errorf("/help: %+v", got)
	}
	if got := ask(t, c, client.ChatSendParams{SessionKey: "one", Message: "stop"}); got.err != nil || got.last.State != "final" || got.text != "" {
		t.Errorf("stop: %+v", got)
	}
}

func TestAskTellsWhyThereIsNoAnswer(t *testing.T) {
	near, _ := live(t)
	c := connect(t, near)
	var refused *client.Error
	if got := ask(t, c, client.ChatSendParams{SessionKey: "one", Message: " "}); !errors.As(got.err, &refused) || refused.Code != client.InvalidRequest {
		t.Errorf("an empty message: %v", got.err)
	}
	var failed *client.RunError
	if got := ask(t, c, client.ChatSendParams{SessionKey: "one", Message: "[[fail 401]]", IdempotencyKey: "k"}); !errors.As(got.err, &failed) || failed.RunID != "k" {
		t.Errorf("a failing model: %+v", got)
	}
}

func TestAskTellsOfAnAbort(t *testing.T) {
	near, _ := live(t)
	c := connect(t, near)
	p := client.ChatSendParams{SessionKey: "one", Message: "[[drip 1000 20]]", IdempotencyKey: "k"}
	var last client.Piece
	for piece, err := range client.Ask(t.Context(), c, p) {
		if err != nil {
			t.Fatal(err)
		}
		if last.State == "" {
			if got, err := client.ChatAbort.Call(t.Context(), c, client.ChatAbortParams{SessionKey: "one", RunID: "k"}); err != nil || !got.Aborted {
				t.Fatalf("abort: %+v, %v", got, err)
			}
		}
		last = piece
	}
	if last.State != "aborted" || !strings.HasPrefix(last.Text, "w1") || last.StopReason == "" {
		t.Errorf("it ended with %+v", last)
	}
}

// cutting makes the connections of o such that cut loses the last one.
func cutting(t *testing.T, o client.Options) (_ client.Options, cut func()) {
	t.Helper()
	inner := o.HTTP.Transport.(*http.Transport).DialContext
	var mu sync.Mutex
	var last net.Conn
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := inner(ctx, network, address)
		mu.Lock()
		defer mu.Unlock()
		last = conn
		return conn, err
	}}
	t.Cleanup(transport.CloseIdleConnections)
	o.HTTP = &http.Client{Transport: transport}
	o.Backoff = client.Backoff{Min: time.Millisecond, Max: 5 * time.Millisecond}
	return o, func() {
		mu.Lock()
		defer mu.Unlock()
		_ = last.Close()
	}
}

// Losing the connection in the middle of an answer costs nothing of it.
func TestAskGoesOnOverALostConnection(t *testing.T) {
	near, _ := live(t)
	o, cut := cutting(t, near)
	c := connect(t, o)
	p := client.ChatSendParams{SessionKey: "one", Message: "[[drip 30 20]]"}
	var text string
	var pieces int
	var last client.Piece
	for piece, err := range client.Ask(t.Context(), c, p) {
		if err != nil {
			t.Fatal(err)
		}
		if pieces++; pieces <= 2 {
			cut()
		}
		if piece.Replaced {
			text = ""
		}
		text += piece.Added
		last = piece
	}
	if last.State != "final" || !strings.HasPrefix(text, "w1 w2 ") || !strings.HasSuffix(strings.TrimSpace(text), " w30") || strings.Count(text, "w") != 30 {
		t.Errorf("%q, then %+v", text, last)
	}
	if h, err := client.ChatHistory.Call(t.Context(), c, client.ChatHistoryParams{SessionKey: "one"}); err != nil || len(h.Messages) != 2 {
		t.Errorf("history: %v, %v", h.Messages, err)
	}
}

// A single connection that is lost ends the asking.
func TestAskOnALostConn(t *testing.T) {
	near, _ := live(t)
	o, cut := cutting(t, near)
	c, err := client.Dial(t.Context(), liveAddress, o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var last error
	for _, err := range client.Ask(t.Context(), c, client.ChatSendParams{SessionKey: "one", Message: "[[drip 1000 20]]"}) {
		cut()
		last = err
	}
	if last == nil {
		t.Error("the asking ended as if the answer was complete")
	}
}
