package gateway_test

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/parleyd/parley/internal/gatewaytest"
)

// TestPingDuringLargeAnswer: a client on a slow line that pings while a large
// answer is on its way must get both, not a closed connection.
func TestPingDuringLargeAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, l *gatewaytest.Listener, _ func()) {
		transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return l.Dial(ctx, netip.MustParseAddrPort("127.0.0.1:5000"))
		}}
		ws, _, err := websocket.Dial(t.Context(), "ws://127.0.0.1:18789/", &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
		if err != nil {
			t.Fatal(err)
		}
		defer ws.CloseNow()
		ws.SetReadLimit(-1)
		send := func(text string) {
			if err := ws.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		send(`{"type":"req","id":"1","method":"connect","params":{"minProtocol":3,"maxProtocol":3,"client":{"id":"cli","version":"1","platform":"linux","mode":"cli"},` +
			`"scopes":["operator.admin"],"auth":{"token":"secret-token"}}}`)
		name := strings.Repeat("x", 8<<20)
		send(`{"type":"req","id":"2","method":"` + name + `"}`)
		pinged := make(chan error, 1)
		go func() { pinged <- ws.Ping(t.Context()) }()
		time.Sleep(20 * time.Second) // fake: the line stands still
		answered := make(chan bool, 1)
		reading, stop := context.WithCancel(t.Context())
		go func() {
			for {
				_, text, err := ws.Read(reading)
				if err != nil {
					return
				}
				if strings.HasSuffix(string(text), name+`"}}`) {
					answered <- true
				}
			}
		}()
		select {
		case <-answered:
		case <-time.After(time.Minute):
			t.Error("the large answer did not come")
		}
		select {
		case err := <-pinged:
			if err != nil {
				t.Errorf("ping: %v", err)
			}
		case <-time.After(time.Minute):
			t.Error("the ping was not answered")
		}
		stop()
	})
}
