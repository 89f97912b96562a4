package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyd/parley/internal/gatewaytest"
)

const upgradeRequest = "GET / HTTP/1.1\r\nHost: 127.0.0.1:18789\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// raw opens a connection below HTTP.
func raw(t *testing.T, l *gatewaytest.Listener) net.Conn {
	t.Helper()
	c, err := l.Dial(context.WithoutCancel(t.Context()), netip.MustParseAddrPort("127.0.0.1:5000"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// drip writes text, then one byte of more each second until the other side has
// had enough; it returns how long that took and what was answered.
func drip(t *testing.T, c net.Conn, text, more string) (took time.Duration, answer string) {
	t.Helper()
	began := time.Now()
	read := make(chan string)
	go func() {
		answer, _ := io.ReadAll(c) // ends in an error where the connection is cut
		read <- string(answer)
	}()
	_, err := io.WriteString(c, text)
	for i := 0; err == nil; i++ {
		time.Sleep(time.Second)
		_, err = c.Write([]byte{more[i%len(more)]})
		if time.Since(began) > time.Hour {
			t.Errorf("%.40q may drip for an hour", text)
			break
		}
	}
	c.Close()
	return time.Since(began), <-read
}

// Who sends its request, its message or its body a byte at a time gets no more
// time than others.
func TestSlowloris(t *testing.T) {
	const post = "POST /rpc HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n"
	for name, tt := range map[string]struct {
		text, more string
		limit      time.Duration
		answer     string // how it begins
	}{
		"request line":            {"G", "ET /aaaaaaaaaa", 10 * time.Second, ""},
		"headers":                 {"GET / HTTP/1.1\r\n", "X: y\r\n", 10 * time.Second, ""},
		"headers of an upgrade":   {upgradeRequest, "X: y\r\n", 10 * time.Second, ""},
		"body without the secret": {post + "\r\n", "x", 10 * time.Second, "HTTP/1.1 401 Unauthorized\r\n"},
		"body of no route":        {strings.Replace(post, "/rpc", "/nothing", 1) + "\r\n", "x", 10 * time.Second, "HTTP/1.1 404 Not Found\r\n"},
		"body with the secret":    {post + "Authorization: Bearer secret-token\r\n\r\n", "x", 5 * time.Minute, "HTTP/1.1 408 Request Timeout\r\n"},
		"a frame before connect":  {upgradeRequest + "\r\n\x81\xfe\xff\xff\x00\x00\x00\x00", "x", 15 * time.Second, "HTTP/1.1 101 "},
		"fragments before it":     {upgradeRequest + "\r\n\x01\x80\x00\x00\x00\x00", "\x00\x80\x00\x00\x00\x00", 15 * time.Second, "HTTP/1.1 101 "},
		"pings before connect":    {upgradeRequest + "\r\n", "\x89\x80\x00\x00\x00\x00", 15 * time.Second, "HTTP/1.1 101 "},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, l *gatewaytest.Listener, _ func()) {
				took, answer := drip(t, raw(t, l), tt.text, tt.more)
				if took > tt.limit+2*time.Second {
					t.Errorf("ended after %v, want %v", took, tt.limit)
				}
				if !strings.HasPrefix(answer, tt.answer) {
					t.Errorf("answered %.200q, want %q", answer, tt.answer)
				}
				if strings.HasPrefix(answer, "HTTP/1.1 101 ") && !strings.HasSuffix(answer, "\x88\x02\x03\xe8") {
					t.Errorf("ended with %q, want a close with 1000", answer[max(0, len(answer)-20):])
				}
				gatewaytest.Connect(t, l, "").Call("sessions.list", "")
			})
		})
	}
}

// A client that takes its time with the body keeps the connection while its
// calls are handled: the limit is for the body alone.
func TestSlowCallKeepsTheConnection(t *testing.T) {
	bubble(t, func(t *testing.T, l *gatewaytest.Listener, _ func()) {
		c := raw(t, l)
		body := `{"jsonrpc":"2.0","id":1,"method":"agent","params":{"message":"[[drip 400 1000]]","sessionKey":"a","idempotencyKey":"k"}}`
		fmt.Fprintf(c, "POST /rpc HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer secret-token\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		began := time.Now()
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(res.Body)
		if err != nil || !strings.Contains(string(answer), `"status":"ok"`) || time.Since(began) < 6*time.Minute {
			t.Errorf("after %v: %s %v", time.Since(began), answer, err)
		}
	})
}

// Pings cost next to nothing: of those that a client sends without reading only
// the newest are answered, and its calls all the same.
func TestPingFlood(t *testing.T) {
	bubble(t, func(t *testing.T, l *gatewaytest.Listener, _ func()) {
		c := raw(t, l)
		const mask = "\x00\x00\x00\x00"
		send := func(text string) {
			t.Helper()
			if _, err := io.WriteString(c, text); err != nil {
				t.Error(err)
			}
		}
		go send(upgradeRequest + "\r\n")
		in := bufio.NewReader(c)
		if _, err := http.ReadResponse(in, nil); err != nil {
			t.Fatal(err)
		}
		const pings = 20_000
		for i := range pings {
			send("\x89\x85" + mask + fmt.Sprintf("%05d", i))
		}
		pongs := make(chan int)
		go func() {
			all, _ := io.ReadAll(in)
			pongs <- strings.Count(string(all), "\x8a\x05")
		}()
		synctest.Wait()
		c.Close()
		if got := <-pongs; got == 0 || got > 100 {
			t.Errorf("%d of %d pings are answered, want the newest few", got, pings)
		}
	})
}

// The id of a call is the client's affair: calls that share one are answered
// each, in JSON-RPC also within a batch.
func TestIDReuse(t *testing.T) {
	bubble(t, func(t *testing.T, l *gatewaytest.Listener, _ func()) {
		c := gatewaytest.Connect(t, l, "")
		const calls = 500
		for range calls {
			c.Send(`{"type":"req","id":"same","method":"sessions.list"}`)
			c.Send(`{"type":"req","id":"same","method":"agent.wait","params":{"runId":"none","timeoutMs":5000}}`)
		}
		time.Sleep(6 * time.Second)
		got := 0
		for _, f := range c.Frames() {
			if strings.HasPrefix(string(f), `{"type":"res","id":"same","ok":true,`) {
				got++
			}
		}
		if got != 2*calls {
			t.Errorf("%d of %d calls are answered", got, 2*calls)
		}
	})
	d := openRPC(t, "127.0.0.1:5000", withToken)
	one := `{"jsonrpc":"2.0","id":"same","method":"health"}`
	if _, got := d.post("["+one+","+one+","+one+"]", bearer); strings.Count(got, `{"jsonrpc":"2.0","id":"same","result":`) != 3 {
		t.Errorf("a batch: %s", got)
	}
}
