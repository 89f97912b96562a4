package gatewaytest

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/parleyd/parley/internal/rawjson"
)

// Client is a gateway client for tests over a Listener. A method that cannot
// do what it promises fails the test. Inside a synctest bubble all waiting is
// in fake time. A Client is for one goroutine.
type Client struct {
	t     testing.TB
	w     *wire
	taken map[*frame]bool
}

// Connect opens a connection to l and does the handshake. options is a JSON
// object that changes it, "" for an operator on the loopback address with
// every scope, a device of its own and the shared secret "secret-token":
//
//	token, password, deviceToken   credentials; null for none
//	role, scopes, client, caps     what connect asks for
//	minProtocol, maxProtocol       default 3
//	device: false                  no device
//	headers                        of the upgrade; path: of the URL
//	peer                           where the gateway sees it coming from
//	extra                          further members of connect's params
//	connect: false                 no handshake: the challenge is the first event
func Connect(t testing.TB, l *Listener, options string) *Client {
	t.Helper()
	c := ConnectAnyway(t, l, options)
	if c.w.answer != any(undefined) && !truthy(member(c.w.answer, "ok")) {
		t.Fatalf("connect was answered %s", compact(c.w.answer))
	}
	return c
}

// ConnectAnyway is Connect for a handshake that may be refused: its answer is
// among Frames then.
func ConnectAnyway(t testing.TB, l *Listener, options string) *Client {
	t.Helper()
	w, err := connectTo(t.Context(), l, options)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(w.terminate)
	return &Client{t: t, w: w, taken: map[*frame]bool{}}
}

// connectTo opens a wire over a listener.
func connectTo(ctx context.Context, l *Listener, options string) (*wire, error) {
	opts := newObject()
	opts.set("token", token)
	if options != "" {
		v, err := parseJSON([]byte(options))
		if err != nil {
			return nil, err
		}
		opts = merge(opts, v).(*object)
	}
	peer := "127.0.0.1:50000"
	if given, ok := opts.get("peer").(string); ok {
		peer = given
	}
	from, err := netip.ParseAddrPort(peer)
	if err != nil {
		return nil, err
	}
	o, err := newOpenOptions(opts, NewDevice())
	if err != nil {
		return nil, err
	}
	to := endpoint{l.Addr().String(), func(ctx context.Context) (net.Conn, error) { return l.Dial(ctx, from) }}
	return openWire(ctx, to, o)
}

// Hello is the payload of the answer to connect, nil without a handshake.
func (c *Client) Hello() rawjson.Value {
	text, ok := stringify(member(c.w.answer, "payload"))
	if !ok {
		return nil
	}
	return rawjson.Value(text)
}

// Call calls a method with params given as JSON ("" for none) and returns the
// payload of the answer, which must be a success.
func (c *Client) Call(method, params string) rawjson.Value {
	c.t.Helper()
	res := c.call(method, params)
	if !truthy(member(res.value, "ok")) {
		c.t.Fatalf("%s was answered %s", method, res.raw)
	}
	return c.member(res.raw, "payload")
}

// Refused calls a method and returns the error of the answer, which must be a
// refusal.
func (c *Client) Refused(method, params string) rawjson.Value {
	c.t.Helper()
	res := c.call(method, params)
	if truthy(member(res.value, "ok")) {
		c.t.Fatalf("%s was answered %s, want a refusal", method, res.raw)
	}
	return c.member(res.raw, "error")
}

// Try calls a method and returns the payload of the answer, or its error.
func (c *Client) Try(method, params string) (payload, fault rawjson.Value) {
	c.t.Helper()
	res := c.call(method, params)
	if truthy(member(res.value, "ok")) {
		return c.member(res.raw, "payload"), nil
	}
	return nil, c.member(res.raw, "error")
}

func (c *Client) call(method, params string) *frame {
	c.t.Helper()
	var p any = undefined
	if params != "" {
		var err error
		if p, err = parseJSON([]byte(params)); err != nil {
			c.t.Fatalf("params of %s: %v", method, err)
		}
	}
	res, err := c.w.call(c.t.Context(), method, p, 30*time.Second)
	if err != nil {
		c.t.Fatal(err)
	}
	return res
}

// Send sends a text message as it is.
func (c *Client) Send(text string) { c.w.sendText(text, text) }

// Event waits up to 15 s for the next event of that name that was not asked
// for yet, and returns the whole frame.
func (c *Client) Event(name string) rawjson.Value {
	c.t.Helper()
	f := c.next(name, 15*time.Second)
	if f == nil {
		c.t.Fatalf("no event %s came", name)
	}
	return f.raw
}

// NoEvent makes sure that no event of that name has come that was not asked
// for. In a bubble, call synctest.Wait first.
func (c *Client) NoEvent(name string) {
	c.t.Helper()
	if f := c.next(name, 0); f != nil {
		c.t.Fatalf("an event came: %s", f.raw)
	}
}

func (c *Client) next(name string, limit time.Duration) *frame {
	f := c.w.wait(c.t.Context(), limit, func(fs []*frame) *frame {
		for _, f := range fs {
			if f.event() && !c.taken[f] && member(f.value, "event") == any(name) {
				return f
			}
		}
		return nil
	})
	if f != nil {
		c.taken[f] = true
	}
	return f
}

// Frames is everything received so far, in order.
func (c *Client) Frames() []rawjson.Value {
	out := []rawjson.Value{}
	for _, f := range c.w.all() {
		if !f.out {
			out = append(out, f.raw)
		}
	}
	return out
}

// Closed waits up to 30 s until the gateway has closed the connection and
// returns the code and reason.
func (c *Client) Closed() (code int, reason string) {
	c.t.Helper()
	select {
	case <-c.w.ended:
	case <-time.After(30 * time.Second):
		c.t.Fatal("the connection is still open")
	}
	return c.w.end.code, c.w.end.reason
}

// Close closes the connection and waits for the gateway's half.
func (c *Client) Close() { c.w.close() }

// Stall stops reading from the connection, as a slow consumer does, until
// Resume. One message may still be taken.
func (c *Client) Stall() { c.w.reading <- struct{}{} }

// Resume ends Stall.
func (c *Client) Resume() { <-c.w.reading }

// member is a member of a frame, as the gateway wrote it.
func (c *Client) member(text []byte, name string) rawjson.Value {
	c.t.Helper()
	o, err := rawjson.Parse(text)
	if err != nil {
		c.t.Fatal(err)
	}
	return o.Get(name)
}
