package gateway

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
	"github.com/google/uuid"
	"github.com/parleyd/parley/internal/hub"
	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

const (
	// handshakeTimeout is how long a connection may take to complete connect, if
	// the environment says nothing else.
	handshakeTimeout = 10 * time.Second
	// drainTimeout bounds writing what is queued for a connection that is to be
	// closed, and the wait for the peer's half of the close.
	drainTimeout = 5 * time.Second
	// unauthorizedLimit is the number of unauthorized-role answers in a row
	// after which a connection is closed (spec: protocol 11).
	unauthorizedLimit = 11
	// blockingLimit is how many blocking calls of one connection may be under
	// way, waitingLimit how many of those that only wait. At the limit the
	// dispatcher waits: a client that pipelines more is not read.
	blockingLimit, waitingLimit = 64, 1024
)

// conn is one WebSocket connection, or what stands for it while one HTTP request
// is served: that has no ws and nobody takes from its outbox. Three goroutines serve it: the reader
// takes messages off the socket, the dispatcher handles them in order, the
// writer alone writes and closes.
type conn struct {
	// Static after construction.
	id     string
	nonce  string
	opened time.Time
	ws     *websocket.Conn
	header http.Header
	host   string
	peer   netip.AddrPort
	cork   *corkedConn   // nil where the listener is not ours
	guise  *strangerConn // what it counts as until it is let in; nil without cork
	in     *inbox
	out    *outbox

	// dispatch handles one message of a connected client: a frame of the gateway
	// protocol, or JSON-RPC.
	dispatch func(ctx context.Context, c *conn, text []byte)

	// Written by the handshake on the dispatcher, read-only once connected is set.
	client   protocol.Client
	role     string
	scopes   protocol.ScopeSet
	caps     []string
	deviceID string
	admitted admittedBy
	remoteIP string // as reported in pairing records and presence; "" for local clients
	protocol int
	endings  uint64 // what Devices.Endings said before the device was let in

	connected atomic.Bool

	received atomic.Int64 // bytes of messages
	spelt    spellings    // keys that the client is told as it wrote them

	// Owned by the reader, and read once that has ended.
	readFault error // what ended the reading

	// Owned by the dispatcher.
	unauthorized int
	presenceKey  string

	calls    sync.WaitGroup // blocking calls under way
	blocking chan struct{}  // holds a token for each that works
	waiting  chan struct{}  // and for each that only waits
}

func newConn(ws *websocket.Conn, r *http.Request, maxBuffered int) *conn {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr) // invalid for in-memory listeners: then the address is unknown
	return &conn{
		id:     uuid.NewString(),
		nonce:  uuid.NewString(),
		opened: time.Now(),
		ws:     ws,
		header: r.Header,
		host:   r.Host,
		peer:   netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port()),
		cork:   corkOf(r),
		guise:  strangerOf(r),
		in:     newInbox(2 * protocol.MaxPayload),
		out:    newOutbox(maxBuffered),

		blocking: make(chan struct{}, blockingLimit),
		waiting:  make(chan struct{}, waitingLimit),
	}
}

// Scopes and Role are asked by the hub for its scope filter, Protocol for the
// form of events; Deliver queues one. They make a conn a hub.Sink.
func (c *conn) Scopes() protocol.ScopeSet { return c.scopes }

// Role is the role that connect settled.
func (c *conn) Role() string { return c.role }

// Protocol is the version that both sides agreed on.
func (c *conn) Protocol() int { return c.protocol }

// Deliver queues an event.
func (c *conn) Deliver(f *hub.Frame) { c.out.event(f, c.spelt.respell(f, f.OpenFor(c.protocol))) }

// webchat reports whether the client is a web chat, whose session rights are
// narrower (spec: sessions 10.3).
func (c *conn) webchat() bool {
	return strings.EqualFold(c.client.Mode, "webchat") || strings.EqualFold(c.client.ID, "webchat-ui")
}

// serveConn runs a connection from its challenge to its end. It returns when
// all its goroutines and calls have ended.
func (g *Gateway) serveConn(c *conn) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() {
		c.write()
		cancel() // the socket is closed: the reader and all waiting calls end
	})
	if !c.connected.Load() {
		c.out.answer(closeBrace(protocol.AppendEvent(nil, "connect.challenge",
			rawjson.MustMarshal(challenge{c.nonce, time.Now().UnixMilli()}), nil)))
	}
	timeout := time.AfterFunc(patience(g.cfg().Getenv("OPENCLAW_HANDSHAKE_TIMEOUT_MS")), func() {
		if !c.connected.Load() {
			c.out.close(websocket.StatusNormalClosure, "")
		}
	})
	defer timeout.Stop()
	wg.Go(func() { g.dispatchAll(ctx, c) })
	g.read(ctx, c)
	c.in.end()
	wg.Wait()
	c.calls.Wait()
	g.leave(c)
}

// patience is how long a handshake may take, by the text of the variable that
// says so in milliseconds.
func patience(text string) time.Duration {
	ms, err := strconv.ParseFloat(jstext.Trim(text), 64)
	if err != nil || !(ms >= 1 && ms <= math.MaxInt32) {
		return handshakeTimeout
	}
	return time.Duration(ms * float64(time.Millisecond))
}

type challenge struct {
	Nonce string `json:"nonce"`
	TS    int64  `json:"ts"`
}

func closeBrace(open []byte) []byte { return append(open, '}') }

// read takes messages off the socket until it ends.
func (g *Gateway) read(ctx context.Context, c *conn) {
	c.ws.SetReadLimit(-1) // the library's own limit sends a reason; ours must be empty
	for {
		kind, r, err := c.ws.Reader(ctx)
		if err != nil {
			c.readFault = err
			c.out.drop()
			return
		}
		text, err := c.readMessage(r)
		c.received.Add(int64(len(text)))
		switch {
		case errors.Is(err, errTooLarge):
			g.log.Warn("message too large", "conn", c.id, "connected", c.connected.Load(), "limit", c.readLimit())
			c.out.close(websocket.StatusMessageTooBig, "")
			return
		case err != nil:
			c.readFault = err
			c.out.drop()
			return
		}
		if kind == websocket.MessageBinary {
			text = jstext.ValidUTF8(text)
		} else if !utf8.Valid(text) {
			c.out.close(websocket.StatusInvalidFramePayloadData, "")
			return
		}
		if !c.in.put(ctx, message{text: text}) {
			return
		}
	}
}

var errTooLarge = errors.New("message too large")

// readLimit is the largest message the connection may send now. It grows while
// a message is being read when the handshake succeeds meanwhile.
func (c *conn) readLimit() int {
	if c.connected.Load() {
		return protocol.MaxPayload
	}
	return protocol.MaxHandshake
}

func (c *conn) readMessage(r io.Reader) ([]byte, error) {
	buf := make([]byte, 0, 512)
	for {
		if len(buf) > c.readLimit() {
			return nil, errTooLarge
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			if len(buf) > c.readLimit() {
				return nil, errTooLarge
			}
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// write sends what is queued until the connection is to end, then closes it.
// Only the writer closes the socket: a close from elsewhere would cut the frame
// in hand, and the client would see a bare end instead of the close code.
func (c *conn) write() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := func() {
		cancel()
		if c.cork != nil {
			_ = c.cork.Close() // the library watches ctx only during its own writes
		}
	}
	// A peer that does not read holds the writer; once the connection is to
	// end, it is given up on after a while, at once when it is gone.
	defer context.AfterFunc(c.out.ended, func() {
		if c.out.isAbrupt() {
			stop()
			return
		}
		time.AfterFunc(drainTimeout, stop)
	})()
	for range c.out.wake {
		if err := c.writePongs(); err != nil {
			_ = c.ws.CloseNow()
			return
		}
		frames, end := c.out.take()
		if end != nil && end.abrupt {
			_ = c.ws.CloseNow() // the peer is gone; there is nobody to tell
			return
		}
		if err := c.writeAll(ctx, frames); err != nil {
			_ = c.ws.CloseNow()
			return
		}
		if end != nil {
			_ = c.ws.Close(end.status, end.reason)
			return
		}
	}
}

// writeAll writes text frames, several in one system call where they are small.
func (c *conn) writeAll(ctx context.Context, frames [][]byte) (err error) {
	if len(frames) > 1 && c.cork != nil {
		c.cork.hold()
		defer func() {
			if e := c.cork.release(); err == nil {
				err = e
			}
		}()
	}
	for _, f := range frames {
		if err := c.ws.Write(ctx, websocket.MessageText, f); err != nil {
			return err
		}
		c.out.written(len(f))
		if err := c.writePongs(); err != nil {
			return err
		}
	}
	return nil
}

// writePongs writes the pongs that wait, between messages: the library has
// nothing half written then.
func (c *conn) writePongs() error {
	for _, payload := range c.out.takePongs() {
		// The final fragment of a pong; the payload of a ping has at most 125 bytes.
		if _, err := c.cork.Write(append([]byte{0x8a, byte(len(payload))}, payload...)); err != nil {
			return err
		}
	}
	return nil
}
