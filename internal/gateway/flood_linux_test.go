package gateway

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// floods is how many connections each flood makes; 5000 are those of a real one:
// go test ./internal/gateway -run Flood -floods 5000.
var floods = flag.Int("floods", 1500, "connections of each flood")

// serveTCP runs a gateway on a port of the loopback address until the test ends.
func serveTCP(t *testing.T) (g *Gateway, address string) {
	t.Helper()
	g, err := New(optionsFor(t, t.TempDir(), nil))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- g.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		if err := g.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return g, l.Addr().String()
}

// comesIn lets a client come that means it: it must be let in at once. The limit
// is above the second that people would notice, for a slow test machine, and far
// below the ten that strangers may stay.
func comesIn(t *testing.T, address string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	began := time.Now()
	ws, _, err := websocket.Dial(ctx, "ws://"+address, nil)
	if err != nil {
		t.Fatalf("a good client gets no connection: %v", err)
	}
	defer ws.CloseNow()
	ws.SetReadLimit(-1)
	if err := ws.Write(ctx, websocket.MessageText, []byte(devicelessConnect)); err != nil {
		t.Fatal(err)
	}
	for {
		_, text, err := ws.Read(ctx)
		if err != nil {
			t.Fatalf("a good client is not let in: %v", err)
		}
		if strings.Contains(string(text), `"hello-ok"`) {
			t.Logf("a good client is let in after %v", time.Since(began))
			return
		}
	}
}

// openFiles is how many file descriptors this process has.
func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// closesAll waits until the process has no more files open than at first.
func closesAll(t *testing.T, before int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); openFiles(t) > before; <-time.After(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d file descriptors are open, %d were before", openFiles(t), before)
		}
	}
}

// forgetsAll waits until no stranger is on the list: a socket is closed a moment
// before its stranger is struck from it.
func forgetsAll(t *testing.T, g *Gateway) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); g.strangers.count() > 0; <-time.After(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d strangers are remembered though all have gone", g.strangers.count())
		}
	}
}

// count is how many strangers there are.
func (s *strangers) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.list)
}

// Thousands of connections that say nothing, or half a request, or are upgraded
// and then silent, take neither the sockets nor the time of those who mean it.
func TestFloodOfSilentConnections(t *testing.T) {
	g, address := serveTCP(t)
	comesIn(t, address)
	before := openFiles(t)
	says := []string{
		"", "GET / HTTP/1.1\r\nHost: localhost\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
		"POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{", "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
	}
	var silent []net.Conn
	for i := range *floods {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatalf("connection %d: %v", i+1, err)
		}
		silent = append(silent, c)
		if _, err := io.WriteString(c, says[i%len(says)]); err != nil && !gone(err) {
			t.Fatalf("connection %d: %v", i+1, err)
		}
	}
	comesIn(t, address)
	if n := g.strangers.count(); n > g.cfg().Parley.Strangers.InAll {
		t.Errorf("%d strangers are there, at most %d may be", n, g.cfg().Parley.Strangers.InAll)
	}
	if g.edge.all()[edgeCount{edgeCrowded, ""}] == 0 {
		t.Error("no stranger had to make room")
	}
	for _, c := range silent {
		c.Close()
	}
	closesAll(t, before)
	forgetsAll(t, g)
}

// gone reports whether an error tells that the other side has cut the connection.
func gone(err error) bool {
	text := err.Error()
	return strings.Contains(text, "reset") || strings.Contains(text, "broken pipe") || strings.Contains(text, "EOF")
}

// Thousands of upgrades that are none, or frames that are none, are refused one
// after the other, and nothing of them stays.
func TestFloodOfMalformedUpgrades(t *testing.T) {
	g, address := serveTCP(t)
	comesIn(t, address)
	before := openFiles(t)
	const upgrade = "GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	says := []string{
		upgrade + "\r\n", upgrade + "Sec-WebSocket-Key: short\r\n\r\n", strings.Replace(upgrade, "13", "99", 1) + key + "\r\n",
		strings.Replace(upgrade, "GET", "POST", 1) + key + "\r\n", strings.Replace(upgrade, "Connection: Upgrade\r\n", "", 1) + key + "\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "GET / HTTP/9.9\r\n\r\n", strings.Repeat("\x00", 300) + "\r\n\r\n",
		upgrade + key + "X: " + strings.Repeat("x", 80<<10) + "\r\n\r\n",
		upgrade + key + "\r\n" + "\x81\x05hello",                    // not masked
		upgrade + key + "\r\n" + "\xf1\x85\x00\x00\x00\x00x",        // reserved bits
		upgrade + key + "\r\n" + "\x89\xfe\x01\x00\x00\x00\x00\x00", // a long ping
		upgrade + key + "\r\n" + "\x80\x80\x00\x00\x00\x00",         // a continuation of nothing
		upgrade + key + "\r\n" + "\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00",
		upgrade + key + "\r\n" + "\x82\x81\x00\x00\x00\x00\xff", // bytes that are no JSON
	}
	work := make(chan string)
	var senders sync.WaitGroup
	for range 50 {
		senders.Go(func() {
			for text := range work {
				refusedAtOnce(t, address, text)
			}
		})
	}
	for i := range *floods {
		work <- says[i%len(says)]
	}
	comesIn(t, address)
	close(work)
	senders.Wait()
	closesAll(t, before)
	forgetsAll(t, g)
	if g.edge.all()[edgeCount{edgeMalformed, ""}] == 0 {
		t.Errorf("%v are counted", g.edge.all())
	}
}

// refusedAtOnce sends text and waits for the end of the connection.
func refusedAtOnce(t *testing.T, address, text string) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Errorf("%.60q: %v", text, err)
		return
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.WriteString(c, text) // it may be refused before all is sent
	_ = c.(*net.TCPConn).CloseWrite()
	if _, err := io.Copy(io.Discard, c); err != nil && !gone(err) {
		t.Errorf("%.60q: %v", text, err)
	}
}

// Who has shown the secret is no stranger any more, however many come then.
func TestFloodLeavesClientsAlone(t *testing.T) {
	g, address := serveTCP(t)
	kept, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	answers := bufio.NewReader(kept)
	health := func() {
		t.Helper()
		const body = `{"jsonrpc":"2.0","id":1,"method":"health"}`
		fmt.Fprintf(kept, "POST /rpc HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret-token\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
			t.Fatal(res.Status, err)
		}
	}
	health()
	if n := g.strangers.count(); n != 0 {
		t.Errorf("%d strangers, want none: the client has shown the secret", n)
	}
	var others []net.Conn
	for range g.cfg().Parley.Strangers.InAll + 10 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		others = append(others, c)
	}
	comesIn(t, address)
	health()
	for _, c := range others {
		c.Close()
	}
}
