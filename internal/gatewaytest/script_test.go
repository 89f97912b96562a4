package gatewaytest

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"
)

// serveEcho serves a gateway that answers connect and otherwise sends back
// what it gets, tells the time on "tick" and closes on "bye".
func serveEcho(t testing.TB, l *Listener, configPath, stateDir string) func() {
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer ws.CloseNow()
		ws.Write(r.Context(), websocket.MessageText, []byte(`{"type":"event","event":"connect.challenge","payload":{"nonce":"n"}}`))
		for {
			kind, text, err := ws.Read(r.Context())
			if err != nil {
				return
			}
			if strings.Contains(string(text), `"connect"`) {
				text = []byte(`{"type":"res","id":"r1","ok":true,"payload":{"from":"` + r.RemoteAddr + `"}}`)
			}
			if strings.Contains(string(text), `"bye"`) {
				ws.Close(websocket.StatusPolicyViolation, "slow consumer")
				return
			}
			ws.Write(r.Context(), kind, text)
		}
	})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		srv.Serve(l)
	}()
	return func() {
		srv.Close()
		<-ended
	}
}

func TestScriptsPass(t *testing.T) {
	const script = `// Without this a client reads nothing.
# config {"session":{"scope":"global"}}
# file agents/x.json {"a":1}
# ignore tick
--> {"a":1,"id":"11111111-2222-3333-4444-555555555555","deep":{"list":[1,2,3]}}
<-- {"a":…,"id":"${id}","deep":{"list":[1,…]}}
--> ["${id}",1700000000000,"2026-01-05T10:00:00.000Z"]
<-- ["${id}","<ms>","<iso>"]
--> {"id":"agent:11111111-2222-3333-4444-555555555556","b":[]}
<-- {"id":"agent:<uuid>",…}
--> {"type":"event","event":"tick"}
b --> {"x":{}}
b <-- {…}
# sleep 1h
# quiet b
# dial c {"peer":"10.0.0.1:1"}
c <-- {"type":"event","event":"connect.challenge","payload":{"nonce":"n"}}
c --> "bye"
# closed c 1008 slow consumer
# close b
`
	synctest.Test(t, func(t *testing.T) {
		state := filepath.Join(t.TempDir(), "state")
		out, err := Scripts{Serve: serveEcho}.play(t, state, script)
		if err != nil || out != script {
			t.Errorf("%v\n%s", err, out)
		}
		config, err := os.ReadFile(filepath.Join(state, "openclaw.json"))
		if err != nil || !strings.Contains(string(config), `"scope": "global"`) || !strings.Contains(string(config), token) {
			t.Errorf("configuration: %s (%v)", config, err)
		}
		if text, err := os.ReadFile(filepath.Join(state, "agents", "x.json")); string(text) != `{"a":1}` {
			t.Errorf("file: %q (%v)", text, err)
		}
	})
}

// TestScriptsFail makes sure that every check of a script can fail.
func TestScriptsFail(t *testing.T) {
	for script, want := range map[string]string{
		"--> {}":                                   "1: the first line",
		"// x\n--> {\"a\":1}":                      "2: at the end: a has an unread frame",
		"// x\n--> {\"a\":1}\n<-- {\"a\":2}":       "3: got {\"a\":1}\n\ta: want 2, got 1",
		"// x\n--> {\"a\":1}\n<-- {}":              "3: got {\"a\":1}\n\ta: want (absent), got 1",
		"// x\n--> {\"a\":1}\n<-- {\"b\":…,…}":     "3: got {\"a\":1}\n\tb: want \"…\", got (absent)",
		"// x\n--> {\"a\":null}\n<-- {\"b\":null}": "3: got {\"a\":null}\n\tb: want null, got (absent)",
		"// x\n--> [1,2]\n<-- [1]":                 "3: got [1,2]\n\t: want 1 elements, got 2",
		"// x\n--> [1]\n<-- [1,2,…]":               "3: got [1]\n\t: want 2 elements, got 1",
		"// x\n--> [1,2]\n<-- [\"${v}\",\"${v}\"]": "3: got [1,2]\n\t1: want \"${v}\", got 2",
		"// x\n--> [\"z\"]\n<-- [\"<uuid>\"]":      "3: got [\"z\"]\n\t0: want \"<uuid>\", got \"z\"",
		"// x\n--> [5]\n<-- [\"<ms>\"]":            "3: got [5]\n\t0: want \"<ms>\", got 5",
		"// x\n<-- {}":                             "2: no frame came within 5 s",
		"// x\n# slep 1s":                          "2: no directive",
		"// x\nhello":                              "2: not a line",
		"// x\n# sleep soon":                       "2: time: invalid duration",
		"// x\n# dial a\n# quiet a":                "3: a has an unread frame",
		"// x\n# closed a 1000":                    "2: the connection is still open",
		"// x\n--> \"bye\"\n# closed a 1000":       "3: closed with \"1008 slow consumer\", want \"1000\"",
		"// x\n# open a\n# config {}":              "3: # config must stand before",
	} {
		synctest.Test(t, func(t *testing.T) {
			_, err := Scripts{Serve: serveEcho}.play(t, t.TempDir(), script)
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%q: error %v, want %q…", script, err, want)
			}
		})
	}
}

func TestScriptsUpdate(t *testing.T) {
	const script = "// x\n--> [\"11111111-2222-3333-4444-555555555555\",2]\n<-- [1]\n--> {}\n<-- {…}\n"
	const want = "// x\n--> [\"11111111-2222-3333-4444-555555555555\",2]\n<-- [\"<uuid>\",2]\n--> {}\n<-- {…}\n"
	synctest.Test(t, func(t *testing.T) {
		got, err := Scripts{Serve: serveEcho, Update: true}.play(t, t.TempDir(), script)
		if err != nil || got != want {
			t.Errorf("error %v\ngot  %s\nwant %s", err, got, want)
		}
	})
}

func TestClientSeesItsPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewListener(t)
		stop := serveEcho(t, l, "", "")
		defer stop()
		c := Connect(t, l, `{"peer":"[2001:db8::1]:9"}`)
		defer c.Close()
		if got := string(c.Hello()); got != `{"from":"[2001:db8::1]:9"}` {
			t.Errorf("hello = %s", got)
		}
		c.Send(`{"type":"event","event":"news","payload":1.0}`)
		if got := string(c.Event("news")); got != `{"type":"event","event":"news","payload":1.0}` {
			t.Errorf("event = %s", got)
		}
		synctest.Wait()
		c.NoEvent("news")
	})
}

// TestStalledClientHoldsUpTheWriter checks what tests of slow consumers build
// on: nothing is buffered between the two ends.
func TestStalledClientHoldsUpTheWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewListener(t)
		stalled := make(chan struct{})
		go func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			websocketAccept(conn)
			<-stalled
			conn.Write([]byte{0x81, 2, '{', '}'}) // taken: one message may be
			conn.Write([]byte{0x81, 2, '[', ']'}) // read ahead into the buffer
			conn.Close()
		}()
		w, err := connectTo(context.Background(), l, `{"connect":false}`)
		if err != nil {
			t.Fatal(err)
		}
		defer w.terminate()
		c := &Client{t: t, w: w, taken: map[*frame]bool{}}
		c.Stall()
		close(stalled)
		synctest.Wait()
		if got := len(c.Frames()); got != 0 {
			t.Errorf("%d frames came through a stalled client", got)
		}
		c.Resume()
		if code, _ := c.Closed(); code != 1006 || len(c.Frames()) != 2 {
			t.Errorf("closed with %d after %d frames, want 1006 after 2", code, len(c.Frames()))
		}
	})
}

// websocketAccept answers an upgrade request.
func websocketAccept(conn interface {
	Read([]byte) (int, error)
	Write([]byte) (int, error)
}) {
	buf := make([]byte, 4096)
	conn.Read(buf)
	conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\n\r\n"))
}
