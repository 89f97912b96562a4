package gateway_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/parleyd/parley/client"
	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/gateway"
)

const (
	crowdSessions    = 200
	crowdWaves       = 3
	crowdSubscribers = 3
	crowdSenders     = 20
	crowdWords       = 30
	// crowdPeak is a bound of the heap while all talk, crowdGrowth of what a
	// wave leaves behind: what a run needs must not stay.
	crowdPeak   = 512 << 20
	crowdGrowth = 8 << 20
)

// Two hundred sessions are answered at the same time as fast as the model can.
// Everybody who listens hears every run whole and in its order, every transcript
// is complete, and nothing stays behind: no goroutine, no memory.
func TestCrowd(t *testing.T) {
	before := goleak.IgnoreCurrent()
	address, stop := crowdGateway(t)
	var all []*onlooker
	for range crowdSubscribers {
		all = append(all, listenIn(t, address))
	}
	var senders []*client.Conn
	for range crowdSenders {
		senders = append(senders, dialCrowd(t, address))
	}
	peak := watchHeap()
	var rest []uint64
	for wave := range crowdWaves {
		crowdWave(t, senders, wave)
		for i, f := range all {
			f.await(t, fmt.Sprintf("subscriber %d in wave %d", i, wave))
		}
		rest = append(rest, heapAtRest())
	}
	most := peak()
	t.Logf("heap: %d MiB at most; %d, %d, %d KiB after each wave", most>>20, rest[0]>>10, rest[1]>>10, rest[2]>>10)
	if most > crowdPeak {
		t.Errorf("the heap had %d MiB, want at most %d", most>>20, crowdPeak>>20)
	}
	if rest[2] > rest[1]+crowdGrowth {
		t.Errorf("the last wave left %d KiB behind", (rest[2]-rest[1])>>10)
	}
	checkCrowd(t, senders[0])
	for _, c := range senders {
		_ = c.Close()
	}
	for _, f := range all {
		_ = f.c.Close()
		<-f.ended
	}
	stop()
	goleak.VerifyNone(t, before)
}

// crowdGateway serves a gateway and its model on loopback. The model lets nobody
// begin before all sessions have asked.
func crowdGateway(t *testing.T) (address string, stop func()) {
	d := dialects[0]
	var words []string
	for i := range crowdWords {
		words = append(words, fmt.Sprintf("w%d ", i))
	}
	answer := d.says(nil, words...)
	gate := newBarrier(crowdSessions)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		gate.wait(r.Context())
		answer(w, r)
	}))
	state := t.TempDir()
	path := filepath.Join(state, "parley.json")
	writeFile(t, path, fmt.Sprintf(`{"gateway":{"auth":{"mode":"token","token":"secret-token"}},"agents":{"defaults":{"model":{"primary":"p/m"}}},
		"models":{"providers":{"p":{"baseUrl":%q,"apiKey":"sk-test","api":%q,"models":[{"id":"m","name":"M"}]}}}}`, web.URL, d.api))
	cfg, _, err := config.Load(config.Options{Path: path, StateDir: state, Env: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	end := serveOptions(t, l, gateway.Options{Config: cfg, Log: slog.New(slog.DiscardHandler), Version: "test"})
	stop = sync.OnceFunc(func() {
		end()
		web.Close()
	})
	t.Cleanup(stop)
	return "ws://" + l.Addr().String(), stop
}

// barrier lets n go on when all of them have come, again and again.
type barrier struct {
	n    int
	mu   sync.Mutex // guards all below
	here int
	open chan struct{}
}

func newBarrier(n int) *barrier { return &barrier{n: n, open: make(chan struct{})} }

func (b *barrier) wait(ctx context.Context) {
	b.mu.Lock()
	b.here++
	open := b.open
	if b.here == b.n {
		b.here, b.open = 0, make(chan struct{})
		close(open)
	}
	b.mu.Unlock()
	select {
	case <-open:
	case <-ctx.Done():
	}
}

func dialCrowd(t *testing.T, address string) *client.Conn {
	t.Helper()
	c, err := client.Dial(t.Context(), address, client.Options{Token: "secret-token", Scopes: []string{"operator.admin"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// crowdWave sends one message to each session.
func crowdWave(t *testing.T, senders []*client.Conn, wave int) {
	var wg sync.WaitGroup
	for n, c := range senders {
		wg.Go(func() {
			for i := n; i < crowdSessions; i += len(senders) {
				p := client.ChatSendParams{SessionKey: fmt.Sprint("s", i), Message: fmt.Sprint("message ", wave), IdempotencyKey: fmt.Sprintf("s%d-%d", i, wave)}
				if r, err := client.ChatSend.Call(t.Context(), c, p); err != nil || r.Status != "started" {
					t.Errorf("%s: %+v, %v", p.IdempotencyKey, r, err)
				}
			}
		})
	}
	wg.Wait()
}

// checkCrowd looks at the transcripts and the list.
func checkCrowd(t *testing.T, c *client.Conn) {
	for i := range crowdSessions {
		key := fmt.Sprint("s", i)

		told, err := client.SessionsGet.Call(t.Context(), c, client.SessionsGetParams{Key: key})
		if err != nil || len(told.Messages) != 2*crowdWaves {
			t.Fatalf("%s has %d messages, %v", key, len(told.Messages), err)
		}
		for wave := range crowdWaves {
			ask, answer := told.Messages[2*wave].Text(), told.Messages[2*wave+1].Text()
			if ask != fmt.Sprint("message ", wave) || strings.TrimSpace(answer) != crowdAnswer() {
				t.Errorf("%s has %q and %q", key, ask, answer)
			}
		}
	}
	list, err := client.SessionsList.Call(t.Context(), c, client.SessionsListParams{Limit: 2 * crowdSessions})
	if err != nil || len(list.Sessions) != crowdSessions {
		t.Fatalf("%d sessions are listed, %v", len(list.Sessions), err)
	}
	for _, row := range list.Sessions {
		if row.Status != "done" {
			t.Errorf("%s is %q", row.Key, row.Status)
		}
	}
}

func crowdAnswer() string {
	var b strings.Builder
	for i := range crowdWords {
		fmt.Fprintf(&b, "w%d ", i)
	}
	return strings.TrimSpace(b.String())
}

// heapAtRest is what lives on the heap.
func heapAtRest() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what the first one put into pools for the last time
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// watchHeap looks at the heap until it is asked how large it was at most.
func watchHeap() func() uint64 {
	done, most := make(chan struct{}), make(chan uint64)
	go func() {
		var peak uint64
		every := time.NewTicker(20 * time.Millisecond)
		defer every.Stop()
		for {
			select {
			case <-every.C:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			case <-done:
				most <- peak
				return
			}
		}
	}()
	return func() uint64 {
		close(done)
		return <-most
	}
}
