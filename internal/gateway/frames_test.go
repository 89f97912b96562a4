package gateway

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/parleyd/parley/internal/protocol"
)

// Frames of all lengths and forms are what the library reads: the header is ours.
func TestFramesAreReadByTheLibrary(t *testing.T) {
	open := protocol.EventLead + `"event":"x","payload":1`
	frames := []outFrame{
		{text: []byte(open), form: event}, {text: []byte(open), form: event, seq: 9}, {text: []byte(open), form: rpcEvent, seq: 12345},
	}
	want := []string{open + "}", open + `,"seq":9}`, notification + `"event":"x","payload":1,"seq":12345}}`}
	for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536, 200_000} {
		text := strings.Repeat("x", n)
		want = append(want, text, text)
		frames = append(frames, outFrame{text: []byte(text)}, outFrame{text: []byte(strings.Repeat(" ", frameRoom) + text), form: roomy})
	}
	var wire []byte
	for one := (batch{frames: frames}); len(one.frames) > 0; {
		part, _ := one.part()
		wire = append(wire, part.text...)
		part.free()
	}
	for _, f := range frames { // each alone, the way a single answer goes
		one := batch{frames: []outFrame{f}}
		part, size := one.part()
		if size != f.size() {
			t.Errorf("a frame of %d bytes is told as %d", f.size(), size)
		}
		wire = append(wire, part.text...)
	}
	for i, got := range readAsClient(t, wire, 2*len(want)) {
		if got != want[i%len(want)] {
			t.Fatalf("message %d is %.60q (%d bytes), want %.60q (%d bytes)", i, got, len(got), want[i%len(want)], len(want[i%len(want)]))
		}
	}
}

// Pongs go before the messages of their batch, and count for nothing.
func TestPongsInABatch(t *testing.T) {
	b := batch{pongs: [][]byte{[]byte("p")}, frames: []outFrame{{text: []byte("frame")}}}
	part, size := b.part()
	if want := "\x8a\x01p\x81\x05frame"; string(part.text) != want || size != 5 {
		t.Errorf("%q of %d bytes, want %q of 5", part.text, size, want)
	}
}

// keeper keeps the connection that the library takes over.
type keeper struct {
	http.ResponseWriter
	conn *net.Conn
}

func (k keeper) Hijack() (c net.Conn, rw *bufio.ReadWriter, err error) {
	c, rw, err = k.ResponseWriter.(http.Hijacker).Hijack()
	*k.conn = c
	return c, rw, err
}

// readAsClient lets the library read n messages.
func readAsClient(t *testing.T, wire []byte, n int) (got []string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var raw net.Conn
		if _, err := websocket.Accept(keeper{w, &raw}, r, nil); err != nil {
			t.Error(err)
			return
		}
		_, _ = raw.Write(wire) // the client complains
		raw.Close()
	}))
	defer server.Close()
	ws, _, err := websocket.Dial(t.Context(), server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	ws.SetReadLimit(-1)
	for range n {
		_, text, err := ws.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(text))
	}
	return got
}
