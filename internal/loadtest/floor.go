package loadtest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/coder/websocket"
)

// The floor knows these requests, by what is in them. Numbers stand behind their
// names and a colon.
//
//	connect            checks the signature of a device, if there is one
//	"floor"            answers "bytes" bytes, after "syncs" times appending 1 KiB and syncing
//	"floor.subscribe"  gets what others publish
//	"floor.publish"    after "syncs" appends sends "bytes" bytes to all subscribers, then answers
//	"floor.run"        as a run: appends and syncs four times, asks the model that the
//	                   process was told of; answers "started" at first, and sends "final"
const helloSize = 3200 // of Parley's hello-ok

// ServeFloor is the floor, until ctx ends: on a port of this machine, appending
// to a file in dir. model is the base URL of a model server, "" for none.
func ServeFloor(ctx context.Context, port int, dir, model string) error {
	f := &floor{model: model, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}, subscribers: map[*floorConn]bool{}}
	var err error
	if f.disk, err = newAppender(dir); err != nil {
		return err
	}
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	server := &http.Server{Handler: f, BaseContext: func(net.Listener) context.Context { return ctx }}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	f.client.CloseIdleConnections()
	return f.disk.close()
}

type floor struct {
	model  string
	client *http.Client // for the model
	disk   *appender

	prepared sync.Map // frames by their size, events below zero

	mu          sync.Mutex // guards subscribers
	subscribers map[*floorConn]bool
}

// floorConn is a connection. Answers are written by the goroutine that read the
// request, the least that a server can do; a subscriber's events wait for a
// goroutine of their own, so that no subscriber holds up the others.
type floorConn struct {
	ws   *websocket.Conn
	more chan struct{}

	mu    sync.Mutex // guards queue
	queue [][]byte
}

// answer writes an answer at once.
func (c *floorConn) answer(frame []byte) error {
	return c.ws.Write(context.Background(), websocket.MessageText, frame)
}

// ServeHTTP serves one connection.
func (f *floor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return
	}
	ws.SetReadLimit(32 << 20)
	c := &floorConn{ws: ws, more: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(r.Context())
	var writer sync.WaitGroup
	defer writer.Wait()
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = ws.CloseNow() })()
	defer func() { _ = ws.CloseNow() }()
	defer f.forget(c)
	nonce := strings.ToLower(rand.Text())
	err = c.answer([]byte(`{"type":"event","event":"connect.challenge","payload":{"nonce":"` + nonce + `","ts":1}}`))
	for err == nil {
		var text []byte
		if _, text, err = ws.Read(context.Background()); err != nil {
			return
		}
		if bytes.Contains(text, []byte(`"floor.subscribe"`)) {
			writer.Go(func() { c.write(ctx) })
		}
		if err = f.serve(c, text, nonce); err != nil {
			err = c.answer([]byte(`{"type":"res","id":"1","ok":false,"error":` + strconv.Quote(err.Error()) + `}`))
		}
	}
}

func (f *floor) serve(c *floorConn, text []byte, nonce string) error {
	switch {
	case bytes.Contains(text, []byte(`"method":"connect"`)):
		if err := verify(text, nonce); err != nil {
			return err
		}
		return c.answer([]byte(`{"type":"res","id":"1","ok":true,"payload":{"type":"hello-ok","pad":"` + strings.Repeat("x", helloSize) + `"}}`))
	case bytes.Contains(text, []byte(`"floor.subscribe"`)):
		f.mu.Lock()
		f.subscribers[c] = true
		f.mu.Unlock()
		return c.answer(f.bytes(100))
	case bytes.Contains(text, []byte(`"floor.publish"`)):
		if err := f.appends(numberIn(text, "syncs")); err != nil {
			return err
		}
		f.publish(f.event(numberIn(text, "bytes")))
		return c.answer(f.bytes(max(numberIn(text, "answer"), 100)))
	case bytes.Contains(text, []byte(`"floor.run"`)):
		go f.run(c, text)
		return nil
	default:
		if err := f.appends(numberIn(text, "syncs")); err != nil {
			return err
		}
		return c.answer(f.bytes(numberIn(text, "bytes")))
	}
}

// appends is so many appends and syncs, one after the other.
func (f *floor) appends(n int) error {
	for range n {
		if err := f.disk.append(); err != nil {
			return err
		}
	}
	return nil
}

func (f *floor) forget(c *floorConn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.subscribers, c)
}

func (f *floor) publish(frame []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.subscribers {
		c.put(frame)
	}
}

// bytes is a prepared answer of a size.
func (f *floor) bytes(size int) []byte {
	return f.prepare(size, `{"type":"res","id":"1","ok":true,"payload":"`)
}

// event is a prepared event of a size.
func (f *floor) event(size int) []byte {
	return f.prepare(-size, `{"type":"event","event":"floor","payload":"`)
}

func (f *floor) prepare(key int, head string) []byte {
	if frame, ok := f.prepared.Load(key); ok {
		return frame.([]byte)
	}
	pad := max(max(key, -key)-len(head)-2, 0)
	frame := []byte(head + strings.Repeat("x", pad) + `"}`)
	f.prepared.Store(key, frame)
	return frame
}

// numberIn is the number behind a name.
func numberIn(text []byte, name string) int {
	_, rest, ok := bytes.Cut(text, []byte(`"`+name+`":`))
	n := 0
	for _, c := range rest {
		if !ok || c < '0' || c > '9' {
			break
		}
		n = n*10 + int(c-'0')
	}
	return n
}

func (c *floorConn) put(frame []byte) {
	c.mu.Lock()
	c.queue = append(c.queue, frame)
	c.mu.Unlock()
	select {
	case c.more <- struct{}{}:
	default:
	}
}

func (c *floorConn) write(ctx context.Context) {
	for {
		select {
		case <-c.more:
		case <-ctx.Done():
			return
		}
		c.mu.Lock()
		queue := c.queue
		c.queue = nil
		c.mu.Unlock()
		for _, frame := range queue {
			if c.ws.Write(ctx, websocket.MessageText, frame) != nil {
				return
			}
		}
	}
}

// verify checks what a gateway must check of a device: its id and signature.
func verify(text []byte, nonce string) error {
	var q struct {
		Params struct {
			Device *struct {
				ID, PublicKey, Signature string
				SignedAt                 int64
			}
		}
	}
	if err := json.Unmarshal(text, &q); err != nil || q.Params.Device == nil {
		return err
	}
	d := q.Params.Device
	key, err := base64.RawURLEncoding.DecodeString(d.PublicKey)
	sig, err2 := base64.RawURLEncoding.DecodeString(d.Signature)
	if err := errors.Join(err, err2); err != nil || len(key) != ed25519.PublicKeySize {
		return fmt.Errorf("a bad key or signature: %w", err)
	}
	id := sha256.Sum256(key)
	signed := fmt.Sprintf("v2|%s|cli|cli|operator|%s|%d|%s|%s", hex.EncodeToString(id[:]), scopes, d.SignedAt, token, nonce)
	if d.ID != hex.EncodeToString(id[:]) || !ed25519.Verify(key, []byte(signed), sig) {
		return errors.New("the signature is wrong")
	}
	return nil
}
