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
	"fmt"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// conn is a connection that does as little as a client can: load must come from
// the process under test. It takes part in one call at a time.
type conn struct {
	ws    *websocket.Conn
	timer *time.Timer // ends the connection when an answer stays out
	alone func() bool // takes the connection away from the context of open
}

// wait is how long an answer may take.
const wait = 60 * time.Second

// open connects to a process and shakes hands as a program on the same machine
// does, with a device of its own when one is given.
func open(ctx context.Context, url string, device ed25519.PrivateKey) (*conn, error) {
	ws, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(256 << 20)
	// A context that can end costs the library a goroutine's worth of work for
	// each frame, which would count as the gateway's. So these two end it.
	c := &conn{ws: ws, timer: time.AfterFunc(wait, func() { _ = ws.CloseNow() })}
	c.alone = context.AfterFunc(ctx, func() { _ = ws.CloseNow() })
	if err := c.shake(device); err != nil {
		c.close()
		return nil, fmt.Errorf("shake hands: %w", err)
	}
	return c, nil
}

func (c *conn) shake(device ed25519.PrivateKey) error {
	challenge, err := c.read()
	if err != nil {
		return err
	}
	hello, err := c.ask(connect(challenge, device))
	if err == nil && !bytes.Contains(hello, []byte(`"hello-ok"`)) {
		err = fmt.Errorf("it answered %s", hello)
	}
	return err
}

const scopes = "operator.admin,operator.read,operator.write"

// connect is the first request, signed by a device when there is one.
func connect(challenge []byte, device ed25519.PrivateKey) string {
	proof := ""
	if device != nil {
		var c struct{ Payload struct{ Nonce string } }
		_ = json.Unmarshal(challenge, &c) // without a nonce the signature is refused
		proof = `,"device":` + prove(device, c.Payload.Nonce, time.Now().UnixMilli())
	}
	quoted := `"` + strings.ReplaceAll(scopes, ",", `","`) + `"`
	return `{"type":"req","id":"1","method":"connect","params":{"minProtocol":3,"maxProtocol":4,"client":{"id":"cli","version":"1","platform":"linux","mode":"cli"},` +
		`"role":"operator","scopes":[` + quoted + `],"auth":{"token":"` + token + `"}` + proof + `}}`
}

// prove is the member device of connect (doc/client-authors.md).
func prove(device ed25519.PrivateKey, nonce string, now int64) string {
	public := device.Public().(ed25519.PublicKey)
	id := sha256.Sum256(public)
	text := fmt.Sprintf("v2|%s|cli|cli|operator|%s|%d|%s|%s", hex.EncodeToString(id[:]), scopes, now, token, nonce)
	return fmt.Sprintf(`{"id":"%s","publicKey":"%s","signature":"%s","signedAt":%d,"nonce":"%s"}`, hex.EncodeToString(id[:]),
		base64.RawURLEncoding.EncodeToString(public), base64.RawURLEncoding.EncodeToString(ed25519.Sign(device, []byte(text))), now, nonce)
}

// newDevice is a device's key.
func newDevice() (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

// read is the next frame.
func (c *conn) read() ([]byte, error) {
	_, frame, err := c.ws.Read(context.Background())
	return frame, err
}

func (c *conn) send(request string) error {
	return c.ws.Write(context.Background(), websocket.MessageText, []byte(request))
}

// response is how an answer begins.
var response = []byte(`{"type":"res"`)

// refused is in an answer that is an error.
var refused = []byte(`"ok":false`)

// ask sends a request and returns its answer; events in between are dropped.
func (c *conn) ask(request string) ([]byte, error) {
	c.timer.Reset(wait)
	defer c.timer.Stop()
	if err := c.send(request); err != nil {
		return nil, err
	}
	for {
		frame, err := c.read()
		if err != nil {
			return nil, err
		}
		if !bytes.HasPrefix(frame, response) {
			continue
		}
		if head := frame[:min(len(frame), 80)]; bytes.Contains(head, refused) {
			return nil, fmt.Errorf("%.200s was answered %.300s", request, frame)
		}
		return frame, nil
	}
}

func (c *conn) close() {
	c.timer.Stop()
	c.alone()
	_ = c.ws.CloseNow()
}

// request is one with params in JSON.
func request(method, params string) string {
	return `{"type":"req","id":"1","method":"` + method + `","params":` + params + `}`
}
