package gateway

import (
	"context"
	"errors"
	"io"
	"log/slog"
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
	// way, waitingLimit how many of those that only wait. At the limit its
	// messages wait: a client that pipelines more is not read.
	blockingLimit, waitingLimit = 64, 1024
)

// conn is one WebSocket connection, or what stands for it while one HTTP request
// is served: that has no ws and nobody takes from its outbox. While it is idle one
// goroutine serves it: that reads a message, handles it (inbox says when another
// one reads on meanwhile) and writes what came of it. What is queued at other
// times has a writer of its own until all is written (outbox).
type conn struct {
	// Static after construction.
	id     string
	nonce  string
	opened time.Time
	ws     *websocket.Conn
	header http.Header
	host   string
	peer   netip.AddrPort
	door   *doorConn     // nil for an HTTP request
	guise  *strangerConn // what it counts as until it is let in
	in     *inbox
	out    *outbox

	// dispatch handles one message of a connected client: a frame of the gateway
	// protocol, or JSON-RPC.
	dispatch func(ctx context.Context, c *conn, text []byte)

	// Written by the handshake, read-only once connected is set.
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

	gone    chan struct{} // closed once the socket is
	readers sync.WaitGroup
	lend    func()      // has another goroutine read while a turn goes on
	slow    *time.Timer // does that when a turn takes long

	// Owned by the reader, and read once that has ended.
	readFault error // what ended the reading

	// Owned by whoever handles messages in order.
	unauthorized int
	presenceKey  string

	calls    sync.WaitGroup // blocking calls under way
	blocking chan struct{}  // holds a token for each that works
	waiting  chan struct{}  // and for each that only waits
}

func newConn(ws *websocket.Conn, r *http.Request, maxBuffered int) *conn {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr) // invalid for in-memory listeners: then the address is unknown
	c := &conn{
		id:     uuid.NewString(),
		nonce:  uuid.NewString(),
		opened: time.Now(),
		ws:     ws,
		header: r.Header,
		host:   r.Host,
		peer:   netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port()),
		door:   requestDoor(r),
		guise:  strangerOf(r),
		gone:   make(chan struct{}),
		in:     newInbox(2 * protocol.MaxPayload),
		out:    newOutbox(maxBuffered),

		blocking: make(chan struct{}, blockingLimit),
		waiting:  make(chan struct{}, waitingLimit),
	}
	if ws != nil {
		c.out.start = func() { go c.writer() }
	}
	return c
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
	ctx := c.out.ended // nobody hears a call's answer from then on
	defer context.AfterFunc(c.out.ended, c.hurry)()
	c.lend = func() { g.lend(ctx, c) }
	c.slow = time.AfterFunc(time.Hour, c.lend)
	defer c.slow.Stop()
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
	c.ws.SetReadLimit(-1) // the library's own limit sends a reason; ours must be empty
	g.read(ctx, c)
	c.readers.Wait()
	<-c.gone
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

// slowTurn is how long a reader handles a message before another goroutine reads
// on: pings are answered then, and the end of the connection is seen. Most changes
// are durable by then. slowLoose is the time where what is behind need not wait.
const (
	slowTurn  = 10 * time.Millisecond
	slowLoose = time.Millisecond
)

// read takes messages off the socket and handles them, until the socket ends or
// another goroutine reads.
func (g *Gateway) read(ctx context.Context, c *conn) {
	t := new(turn)
	for {
		text, ok := c.next(g.log)
		if !ok {
			return
		}
		m := message{text}
		mine, ok := c.in.put(ctx, t, m, c.out.hold)
		if !ok || mine && !g.takeTurn(ctx, c, t, m) {
			return
		}
	}
}

// takeTurn handles a message that has just been read, and what must wait for it
// when another goroutine reads by then. It reports whether the caller reads on.
func (g *Gateway) takeTurn(ctx context.Context, c *conn, t *turn, m message) bool {
	c.slow.Reset(slowTurn)
	g.handle(ctx, c, m)
	reads, write := c.in.end(t)
	if reads {
		c.slow.Stop()
		if write {
			c.flush()
		}
		return true
	}
	for {
		m, ok := c.in.next(t)
		if !ok {
			return false
		}
		g.handle(ctx, c, m)
	}
}

// lend has another goroutine read when the turn of the one that does takes long.
func (g *Gateway) lend(ctx context.Context, c *conn) {
	lent, write := c.in.lend(func() { c.readers.Add(1) }) // before anybody waits for them
	if write {
		c.out.start()
	}
	if lent {
		defer c.readers.Done()
		g.read(ctx, c)
	}
}

// next is the next message off the socket; it reports false at the end.
func (c *conn) next(log *slog.Logger) ([]byte, bool) {
	// A context that can end would cost work for each message. Whoever ends the
	// connection closes the socket.
	kind, r, err := c.ws.Reader(context.Background())
	var text []byte
	if err == nil {
		text, err = c.readMessage(r)
		c.received.Add(int64(len(text)))
	}
	switch {
	case errors.Is(err, errTooLarge):
		log.Warn("message too large", "conn", c.id, "connected", c.connected.Load(), "limit", c.readLimit())
		c.out.close(websocket.StatusMessageTooBig, "")
		return nil, false
	case err != nil:
		c.readFault = err
		c.out.drop()
		return nil, false
	case kind == websocket.MessageBinary:
		text = jstext.ValidUTF8(text)
	case !utf8.Valid(text):
		c.out.close(websocket.StatusInvalidFramePayloadData, "")
		return nil, false
	}
	return text, true
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
