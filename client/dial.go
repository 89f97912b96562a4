package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/coder/websocket"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

const (
	// handshakeLimit is how long Dial takes at most.
	handshakeLimit = 15 * time.Second
	// silenceLimit is how long nothing may come; a gateway ticks every 30 s.
	silenceLimit = 3 * protocol.TickInterval
	// writeLimit is how long a frame may take to be sent.
	writeLimit = 30 * time.Second
	// messageLimit is the largest message that is accepted. A gateway is
	// trusted, but not with all memory.
	messageLimit = 512 << 20
)

// Dial connects to the gateway at address (ws, wss, http or https) and returns
// when it has said hello. A refusal of the gateway is an *Error. The context
// is for dialling only; the connection lives until Close.
func Dial(ctx context.Context, address string, o Options) (*Conn, error) {
	ws, hello, err := dial(ctx, address, o)
	if err != nil {
		return nil, err
	}
	return newConn(ws, hello, nil), nil
}

// dial makes a connection that nobody reads from yet.
func dial(ctx context.Context, address string, o Options) (*websocket.Conn, *Hello, error) {
	where, err := readable(address)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, handshakeLimit, errors.New("no hello in 15 s"))
	defer cancel()
	web, err := o.web()
	if err != nil {
		return nil, nil, fmt.Errorf("reach the gateway at %s: %w", where, err)
	}
	if web != o.HTTP {
		defer web.CloseIdleConnections()
	}
	ws, _, err := websocket.Dial(ctx, address, &websocket.DialOptions{
		HTTPClient: web, HTTPHeader: o.Header, CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("reach the gateway at %s: %w", where, plainly(causeOf(ctx, err)))
	}
	ws.SetReadLimit(messageLimit)
	hello, err := shake(ctx, ws, o.withDefaults())
	if err != nil {
		_ = ws.CloseNow()
		return nil, nil, fmt.Errorf("connect to the gateway at %s: %w", where, causeOf(ctx, err))
	}
	return ws, hello, nil
}

// readable is address without what an error text must not show.
func readable(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "", errors.New("the address of a gateway looks like ws://127.0.0.1:18789")
	}
	return u.Scheme + "://" + u.Host + u.Path, nil
}

// plainly is the innermost part of err that says what the network did.
func plainly(err error) error {
	if inner, ok := errors.AsType[*net.OpError](err); ok {
		return inner
	}
	return err
}

func causeOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// connectID is the id of the only request before the calls, which count from 1.
const connectID = "connect"

// shake waits for the challenge, answers it and waits for the hello.
func shake(ctx context.Context, ws *websocket.Conn, o Options) (*Hello, error) {
	nonce, err := challenge(ctx, ws)
	if err != nil {
		return nil, err
	}
	params, err := rawjson.Marshal(o.params(nonce))
	if err != nil {
		return nil, err
	}
	if err := ws.Write(ctx, websocket.MessageText, appendRequest(nil, connectID, "connect", params)); err != nil {
		return nil, err
	}
	for {
		f, err := read(ctx, ws)
		switch {
		case err != nil:
			return nil, err
		case f.Type != "res" || f.ID != connectID:
			continue
		case !f.OK:
			return nil, f.failure()
		}
		hello := &Hello{}
		if err := rawjson.Unmarshal(f.Payload, hello); err != nil {
			return nil, fmt.Errorf("read the hello: %w", err)
		}
		return hello, nil
	}
}

func challenge(ctx context.Context, ws *websocket.Conn) (nonce string, err error) {
	f, err := read(ctx, ws)
	if err != nil {
		return "", err
	}
	var c protocol.Challenge
	if f.Event != "connect.challenge" || rawjson.Unmarshal(f.Payload, &c) != nil || c.Nonce == "" {
		return "", errors.New("it does not speak the gateway protocol: no challenge came")
	}
	return c.Nonce, nil
}
