package gatewaytest_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/coder/websocket"
	"github.com/google/uuid"
	"github.com/parleyd/parley/internal/gatewaytest"
	"github.com/parleyd/parley/internal/rawjson"
)

// stub is a gateway of a few lines for testing the player: connect checks the
// device's signature, echo answers its params, emit sends its params as an
// event, bye closes the connection, write writes a file.
type stub struct{ state string }

// startStub is a Starter for a stub.
func startStub(_ context.Context, l gatewaytest.Launch) (func(bool), error) {
	ls, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", l.Port))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	srv := &http.Server{Handler: stub{l.StateDir}, BaseContext: func(net.Listener) context.Context { return ctx }}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		srv.Serve(ls)
	}()
	return func(bool) {
		cancel()
		srv.Close()
		<-ended
	}, nil
}

func (s stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/health" {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Add("X-Two", "a")
		w.Header().Add("X-Two", "b")
		fmt.Fprintf(w, `{"ok":true,"method":%q}`, r.Method)
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer ws.CloseNow()
	nonce := uuid.NewString()
	send := func(format string, args ...any) {
		ws.Write(r.Context(), websocket.MessageText, fmt.Appendf(nil, format, args...))
	}
	send(`{"type":"event","event":"connect.challenge","payload":{"nonce":%q}}`, nonce)
	for seq := 1; ; seq++ {
		_, text, err := ws.Read(r.Context())
		if err != nil {
			if r.Context().Err() != nil {
				ws.Close(websocket.StatusServiceRestart, "service restart")
			}
			return
		}
		var req struct {
			ID     string        `json:"id"`
			Method string        `json:"method"`
			Params rawjson.Value `json:"params"`
		}
		if rawjson.Unmarshal(text, &req) != nil {
			ws.Close(websocket.StatusPolicyViolation, "bad frame")
			return
		}
		switch req.Method {
		case "connect":
			send(`{"type":"res","id":%q,"ok":%v,"payload":{"id":%q}}`, req.ID, provenDevice(req.Params, nonce), uuid.NewString())
		case "echo":
			send(`{"type":"res","id":%q,"ok":true,"payload":%s}`, req.ID, req.Params)
		case "emit":
			send(`{"type":"event","event":"news","payload":%s,"seq":%d,"stateVersion":{}}`, req.Params, seq)
			send(`{"type":"res","id":%q,"ok":true}`, req.ID)
		case "write":
			os.WriteFile(filepath.Join(s.state, "agents", "x.jsonl"), req.Params, 0o600)
			send(`{"type":"res","id":%q,"ok":true}`, req.ID)
		case "bye":
			ws.Close(websocket.StatusPolicyViolation, "slow consumer")
			return
		}
	}
}

// provenDevice reports whether connect's params carry a valid signature, or no
// device at all.
func provenDevice(params rawjson.Value, nonce string) bool {
	var p struct {
		Client struct {
			ID       string `json:"id"`
			Mode     string `json:"mode"`
			Platform string `json:"platform"`
		} `json:"client"`
		Role   string   `json:"role"`
		Scopes []string `json:"scopes"`
		Auth   struct {
			Token string `json:"token"`
		} `json:"auth"`
		Device *struct {
			ID        string        `json:"id"`
			PublicKey string        `json:"publicKey"`
			Signature string        `json:"signature"`
			SignedAt  rawjson.Value `json:"signedAt"`
		} `json:"device"`
	}
	if rawjson.Unmarshal(params, &p) != nil {
		return false
	}
	if p.Device == nil {
		return true
	}
	proof := strings.Join([]string{"v3", p.Device.ID, p.Client.ID, p.Client.Mode, p.Role, strings.Join(p.Scopes, ","),
		string(p.Device.SignedAt), p.Auth.Token, nonce, p.Client.Platform, ""}, "|")
	key, err := base64.RawURLEncoding.DecodeString(p.Device.PublicKey)
	if err != nil {
		return false
	}
	signature, err := base64.RawURLEncoding.DecodeString(p.Device.Signature)
	return err == nil && len(key) == ed25519.PublicKeySize && ed25519.Verify(key, []byte(proof), signature)
}
