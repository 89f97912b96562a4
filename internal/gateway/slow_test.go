package gateway

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"

	"github.com/parleyd/parley/internal/gatewaytest"
)

// subscribers is how many clients TestManySlowConsumers has; one in ten of them
// stops reading. A thousand: go test ./internal/gateway -run ManySlow -subscribers 1000.
var subscribers = flag.Int("subscribers", 300, "clients of TestManySlowConsumers")

// follower is a client that follows sessions.
type follower struct {
	ws      *websocket.Conn
	chats   []string // the texts of chat finals, in order
	changes int      // sessions.changed
	end     error
}

// devicelessConnect is the first frame of a program on this machine.
const devicelessConnect = `{"type":"req","id":"1","method":"connect","params":{"minProtocol":3,"maxProtocol":3,` +
	`"client":{"id":"cli","version":"1","platform":"linux","mode":"cli"},"scopes":["operator.admin"],"auth":{"token":"secret-token"}}}`

// follow connects a client and subscribes it.
func follow(ctx context.Context, l *gatewaytest.Listener) (*follower, error) {
	dial := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return l.Dial(ctx, netip.MustParseAddrPort("127.0.0.1:5000"))
	}}
	ws, _, err := websocket.Dial(ctx, "ws://127.0.0.1:18789/", &websocket.DialOptions{HTTPClient: &http.Client{Transport: dial}})
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(-1)
	for _, text := range []string{devicelessConnect, `{"type":"req","id":"subscribed","method":"sessions.subscribe"}`} {
		if err := ws.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
			return nil, err
		}
	}
	f := &follower{ws: ws}
	return f, f.read(ctx, `"id":"subscribed"`)
}

// read reads until a frame with this text comes.
func (f *follower) read(ctx context.Context, last string) error {
	for {
		_, r, err := f.ws.Reader(ctx)
		if err != nil {
			return err
		}
		text := make([]byte, 64)
		n, err := io.ReadFull(r, text) // long frames are not needed whole
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		head := string(text[:n])
		rest, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		switch {
		case strings.HasPrefix(head, `{"type":"event","event":"chat"`):
			if i := strings.Index(head+string(rest), "note-"); i >= 0 {
				f.chats = append(f.chats, (head + string(rest))[i:i+len("note-00")])
			}
		case strings.HasPrefix(head, `{"type":"event","event":"sessions.changed"`):
			f.changes++
		case strings.Contains(head, last):
			return nil
		}
	}
}

// followAll connects n clients, all at once; those that are to read go on reading
// until they are closed, and count as done in readers then.
func followAll(t *testing.T, l *gatewaytest.Listener, n int, readers *sync.WaitGroup) []*follower {
	t.Helper()
	all := make([]*follower, n)
	var connected sync.WaitGroup
	for i := range all {
		connected.Go(func() {
			var err error
			if all[i], err = follow(t.Context(), l); err != nil {
				t.Errorf("client %d: %v", i, err)
			} else if readers != nil {
				readers.Go(all[i].readAll)
			}
		})
	}
	connected.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return all
}

// readAll reads until the connection ends.
func (f *follower) readAll() { f.end = f.read(context.Background(), "nothing") }

// TestManySlowConsumers: of many clients a tenth stop reading. The others
// get every event in order and at once; what waits for the slow ones stays within
// the limit, what may be dropped is, and they are told why they are closed.
func TestManySlowConsumers(t *testing.T) {
	const limit, events, size = 96 << 10, 20, 8 << 10
	state := t.TempDir()
	o := optionsFor(t, state, nil)
	o.MaxBuffered = limit
	synctest.Test(t, func(t *testing.T) {
		g, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		l := gatewaytest.NewListener(t)
		ctx, cancel := context.WithCancel(context.Background())
		served := make(chan error, 1)
		go func() { served <- g.Serve(ctx, l) }()
		teller := gatewaytest.Connect(t, l, "")
		teller.Call("sessions.create", `{"key":"a"}`)
		var readers sync.WaitGroup
		quick := followAll(t, l, *subscribers*9/10, &readers)
		slow := followAll(t, l, *subscribers/10, nil)
		synctest.Wait()
		for i := range events {
			teller.Call("sessions.patch", fmt.Sprintf(`{"key":"a","label":"%d"}`, i))
			teller.Call("chat.inject", fmt.Sprintf(`{"sessionKey":"a","message":"note-%02d%s"}`, i, strings.Repeat("n", size)))
			synctest.Wait() // whoever reads has read
			most, sum := g.waitingBytes()
			if most > limit+2*size || sum > len(slow)*(limit+2*size) {
				t.Fatalf("after %d events %d bytes wait for one connection and %d for all", i+1, most, sum)
			}
		}
		var ends sync.WaitGroup
		for _, f := range slow {
			ends.Go(f.readAll)
		}
		ends.Wait()
		for i, f := range slow {
			if e, ok := errors.AsType[websocket.CloseError](f.end); !ok || e.Code != websocket.StatusPolicyViolation || e.Reason != "slow consumer" {
				t.Fatalf("slow client %d ended with %v, want 1008 slow consumer", i, f.end)
			}
			if !inOrder(f.chats) || len(f.chats) == 0 || len(f.chats) == events {
				t.Fatalf("slow client %d got %v", i, f.chats)
			}
		}
		for _, f := range quick {
			_ = f.ws.CloseNow()
		}
		readers.Wait()
		for i, f := range quick {
			if len(f.chats) != events || !inOrder(f.chats) || f.changes != 2*events && f.changes != events {
				t.Fatalf("client %d got %d changes and %v", i, f.changes, f.chats)
			}
		}
		cancel()
		if err := errors.Join(<-served, g.Close()); err != nil {
			t.Error(err)
		}
		if got := g.edge.all(); got[edgeCount{edgeClosed, "1008"}] != int64(len(slow)) {
			t.Errorf("%d connections are counted as closed with 1008, want %d", got[edgeCount{edgeClosed, "1008"}], len(slow))
		}
	})
}

// waitingBytes is how much waits to be written, for the connection with the most
// and for all.
func (g *Gateway) waitingBytes() (most, sum int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.conns {
		c.out.mu.Lock()
		most, sum = max(most, c.out.bytes), sum+c.out.bytes
		c.out.mu.Unlock()
	}
	return most, sum
}

// inOrder reports whether notes are the first ones, in their order.
func inOrder(notes []string) bool {
	for i, note := range notes {
		if note != fmt.Sprintf("note-%02d", i) {
			return false
		}
	}
	return true
}
