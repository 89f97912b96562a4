package gatewaytest

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Opcodes of RFC 6455.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// maxMessage is the largest message that a socket takes.
const maxMessage = 64 << 20

// closing is how a connection ended.
type closing struct {
	code   int
	reason string
}

// value is the closing as a scenario records it.
func (c closing) value() any {
	o := newObject()
	o.set("code", float64(c.code))
	o.set("reason", c.reason)
	return o
}

// socket is the client's end of a WebSocket. It sends whatever it is told to,
// fit or not, and is strict about what it takes. Sending never blocks: what
// the peer does not read yet waits in memory, as in a browser.
type socket struct {
	conn net.Conn
	in   *bufio.Reader

	mu     sync.Mutex    // guards the fields below
	queue  [][]byte      // frames to write
	more   chan struct{} // has room for one wake-up of the writer
	ending bool          // a close frame is queued: nothing may follow it
}

// endpoint is where a gateway listens.
type endpoint struct {
	host string // told to the gateway unless a header says otherwise
	dial func(context.Context) (net.Conn, error)
}

// loopback is the endpoint of a TCP port of this machine.
func loopback(port int) endpoint {
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	return endpoint{addr, func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", addr)
	}}
}

// dialSocket opens a WebSocket. Members of headers are sent as they are; one
// named host takes the place of the endpoint's.
func dialSocket(ctx context.Context, to endpoint, path string, headers *object) (*socket, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	conn, err := to.dial(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	s := &socket{conn: conn, in: bufio.NewReader(conn), more: make(chan struct{}, 1)}
	if err := s.upgrade(to.host, path, headers); err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

func (s *socket) upgrade(host, path string, headers *object) error {
	key := make([]byte, 16)
	rand.Read(key)
	if path == "" {
		path = "/"
	}
	var req strings.Builder
	fmt.Fprintf(&req, "GET %s HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n",
		path, base64.StdEncoding.EncodeToString(key))
	for _, name := range headers.keys {
		values, many := headers.vals[name].([]any)
		if !many {
			values = []any{headers.vals[name]}
		}
		for _, v := range values {
			if strings.EqualFold(name, "host") {
				host = text(v)
				continue
			}
			fmt.Fprintf(&req, "%s: %s\r\n", name, text(v))
		}
	}
	fmt.Fprintf(&req, "Host: %s\r\n\r\n", host)
	if _, err := io.WriteString(s.conn, req.String()); err != nil {
		return err
	}
	res, err := http.ReadResponse(s.in, nil)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("http %d", res.StatusCode)
	}
	return nil
}

// send queues one frame that is a whole message.
func (s *socket) send(opcode byte, payload []byte) {
	frame := append(make([]byte, 0, len(payload)+14), 0x80|opcode)
	switch n := len(payload); {
	case n < 126:
		frame = append(frame, 0x80|byte(n))
	case n < 1<<16:
		frame = binary.BigEndian.AppendUint16(append(frame, 0x80|126), uint16(n))
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, 0x80|127), uint64(n))
	}
	var mask [4]byte
	rand.Read(mask[:])
	frame = append(frame, mask[:]...)
	for i, b := range payload {
		frame = append(frame, b^mask[i&3])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending {
		return
	}
	s.ending = opcode == opClose
	s.queue = append(s.queue, frame)
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// write sends what is queued until ctx ends or the connection breaks.
func (s *socket) write(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.more:
		}
		s.mu.Lock()
		frames := net.Buffers(s.queue)
		s.queue = nil
		s.mu.Unlock()
		if _, err := frames.WriteTo(s.conn); err != nil {
			return
		}
	}
}

// read hands every message and pong to the callbacks until the connection
// ends, answering pings and the peer's close.
func (s *socket) read(message, pong func([]byte)) closing {
	var buf []byte // of a message in several frames
	var kind byte
	for {
		fin, opcode, payload, err := s.readFrame(len(buf))
		if err != nil {
			return s.fail(err)
		}
		switch opcode {
		case opPing:
			s.send(opPong, payload)
			continue
		case opPong:
			pong(payload)
			continue
		case opClose:
			return s.closed(payload)
		case opContinuation:
			if kind == 0 {
				return s.fail(errBadFrame)
			}
		default:
			if kind != 0 {
				return s.fail(errBadFrame)
			}
			kind = opcode
		}
		buf = append(buf, payload...)
		if !fin {
			continue
		}
		if kind == opText && !utf8.Valid(buf) {
			return s.fail(errBadText)
		}
		message(buf)
		buf, kind = nil, 0
	}
}

var (
	errBadFrame = errors.New("a frame against RFC 6455")
	errBadText  = errors.New("a text message that is not UTF-8")
	errTooBig   = errors.New("a message that is too big")
)

// readFrame reads one frame; have is the size of the message so far.
func (s *socket) readFrame(have int) (fin bool, opcode byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(s.in, head[:]); err != nil {
		return false, 0, nil, err
	}
	fin, opcode = head[0]&0x80 != 0, head[0]&0x0F
	control := opcode >= opClose
	size := uint64(head[1] & 0x7F)
	known := opcode <= opBinary || opcode >= opClose && opcode <= opPong
	if head[0]&0x70 != 0 || head[1]&0x80 != 0 || !known || control && (!fin || size > 125) {
		return false, 0, nil, errBadFrame
	}
	if size >= 126 {
		long := make([]byte, 2)
		if size == 127 {
			long = make([]byte, 8)
		}
		if _, err := io.ReadFull(s.in, long); err != nil {
			return false, 0, nil, err
		}
		size = 0
		for _, b := range long {
			size = size<<8 | uint64(b)
		}
	}
	if size > uint64(maxMessage-have) {
		return false, 0, nil, errTooBig
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(s.in, payload)
	return fin, opcode, payload, err
}

// closed answers the peer's close frame and waits for it to hang up.
func (s *socket) closed(payload []byte) closing {
	c := closing{code: 1005}
	if len(payload) >= 2 {
		c = closing{int(binary.BigEndian.Uint16(payload)), string(payload[2:])}
	}
	if len(payload) == 1 || !utf8.ValidString(c.reason) {
		return s.fail(errBadFrame)
	}
	s.send(opClose, payload[:min(len(payload), 2)])
	s.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	io.Copy(io.Discard, s.in)
	s.conn.Close()
	return c
}

// fail ends the connection for a fault of the peer, or because it broke.
func (s *socket) fail(err error) closing {
	code := map[error]uint16{errBadFrame: 1002, errBadText: 1007, errTooBig: 1009}[err]
	if code != 0 {
		s.send(opClose, binary.BigEndian.AppendUint16(nil, code))
		s.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
		io.Copy(io.Discard, s.in)
	}
	s.conn.Close()
	return closing{code: 1006}
}
