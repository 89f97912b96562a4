package main

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/client"
	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/rawjson"
)

func TestTailLine(t *testing.T) {
	event := func(name, payload string) client.Event {
		return client.Event{Name: name, Payload: rawjson.Value(payload), Seq: 7}
	}
	for _, c := range []struct {
		name    string
		tail    tailCommand
		key     string
		event   client.Event
		want    string // without the time
		skipped bool
	}{
		{name: "changed", event: event("sessions.changed", `{"sessionKey":"agent:main:a","reason":"patch","ts":1}`), want: `sessions.changed agent:main:a patch`},
		{name: "delta", event: event("chat", `{"sessionKey":"k","state":"delta","message":{"content":[{"type":"text","text":"a\n b"}]}}`), want: `chat             k delta "a b"`},
		{name: "error", event: event("chat", `{"sessionKey":"k","state":"error","errorMessage":"no"}`), want: `chat             k error "no"`},
		{name: "agent", event: event("agent", `{"sessionKey":"k","stream":"lifecycle","data":{"phase":"start"}}`), want: `agent            k lifecycle start`},
		{name: "string content", event: event("session.message", `{"sessionKey":"k","message":{"role":"user","content":"hi"}}`), want: `session.message  k "hi"`},
		{name: "long", event: event("x", `{"errorMessage":"`+strings.Repeat("y", 200)+`"}`), want: `x                "` + strings.Repeat("y", 100) + `…"`},
		{name: "other shape", event: event("x", `[1]`), want: `x`},
		{name: "tick", event: event("tick", `{"ts":1}`), skipped: true},
		{name: "tick wanted", tail: tailCommand{All: true}, event: event("tick", `{"ts":1}`), want: `tick`},
		{name: "another session", tail: tailCommand{Session: "a"}, key: "agent:main:a", event: event("chat", `{"sessionKey":"agent:main:b"}`), skipped: true},
		{name: "this session", tail: tailCommand{Session: "a"}, key: "agent:main:a", event: event("chat", `{"sessionKey":"agent:main:a"}`), want: `chat             agent:main:a`},
		{name: "json", tail: tailCommand{JSON: true}, event: event("chat", `{"a": 1}`), want: `{"event":"chat","seq":7,"payload":{"a":1}}`},
	} {
		got, wanted := c.tail.line(c.event, c.key)
		if !c.tail.JSON && wanted {
			got = got[len("15:04:05 "):]
		}
		if got != c.want || wanted == c.skipped {
			t.Errorf("%s: got %q, %v, want %q", c.name, got, wanted, c.want)
		}
	}
}

func TestHosts(t *testing.T) {
	for _, c := range []struct {
		gateway config.Gateway
		want    []string // the local address, then what is listened on
	}{
		{config.Gateway{Bind: "loopback"}, []string{"127.0.0.1", "127.0.0.1", "::1"}},
		{config.Gateway{Bind: "auto"}, []string{"127.0.0.1", "127.0.0.1"}},
		{config.Gateway{Bind: "lan"}, []string{"127.0.0.1", "0.0.0.0"}},
		{config.Gateway{Bind: "custom", CustomBindHost: "192.0.2.1"}, []string{"192.0.2.1", "192.0.2.1"}},
	} {
		host, others := hosts(c.gateway)
		if d := cmp.Diff(c.want, append([]string{localHost(c.gateway), host}, others...)); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.gateway.Bind, d)
		}
	}
}

func TestListenOnBothLoopbacks(t *testing.T) {
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	ls, err := listen(t.Context(), config.Gateway{Bind: "loopback", Port: port}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(ls)
	if got := ls[0].Addr().(*net.TCPAddr); !got.IP.Equal(net.IPv4(127, 0, 0, 1)) || got.Port != port {
		t.Errorf("the first listener is %s", got)
	}
}

func TestLoopback(t *testing.T) {
	for address, want := range map[string]bool{
		"ws://127.0.0.1:1": true, "wss://localhost": true, "http://[::1]:5/x": true, "ws://127.9.9.9": true,
		"ws://example.org": false, "ws://127.0.0.1.example.org": false, "ws://10.0.0.1:1": false, "ws://": false, "%": false,
	} {
		if got := loopback(address); got != want {
			t.Errorf("loopback(%q) = %v", address, got)
		}
	}
}

// The secrets of this machine must not travel to another one.
func TestTargetKeepsTheTokenAtHome(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(config.TokenPath(dir), []byte("kept\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := func(url, token string) reachFlags {
		return reachFlags{placeFlags: placeFlags{StateDir: dir}, URL: url, Token: token}
	}
	for _, c := range []struct {
		flags reachFlags
		want  target
	}{
		{flags("", ""), target{url: "ws://127.0.0.1:18789", token: "kept"}},
		{flags("", "given"), target{url: "ws://127.0.0.1:18789", token: "given"}},
		{flags("ws://localhost:7", ""), target{url: "ws://localhost:7", token: "kept"}},
		{flags("wss://example.org", ""), target{url: "wss://example.org"}},
		{flags("wss://example.org", "given"), target{url: "wss://example.org", token: "given"}},
	} {
		got, err := c.flags.target()
		c.want.identity = filepath.Join(dir, "identity", "cli.json")
		if d := cmp.Diff(c.want, got, cmp.AllowUnexported(target{})); err != nil || d != "" {
			t.Errorf("%+v: %v (-want +got):\n%s", c.flags, err, d)
		}
	}
}

func TestReadOwner(t *testing.T) {
	dir := t.TempDir()
	release, err := own(dir, owner{PID: os.Getpid(), Port: 7, URL: "ws://127.0.0.1:7"})
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := readOwner(dir); !ok || got.Port != 7 {
		t.Errorf("owner = %+v, %v", got, ok)
	}
	if _, err := own(dir, owner{}); report(io.Discard, err) != exitOwned || !strings.Contains(err.Error(), "port 7") {
		t.Errorf("a second owner got %v", err)
	}
	release()
	if got, ok := readOwner(dir); ok {
		t.Errorf("after the release: %+v", got)
	}
	for _, left := range []string{``, `{`, `{"pid":0}`, `{"pid":-1}`, `{"pid":2147483646,"port":1}`} {
		if err := os.WriteFile(ownerPath(dir), []byte(left), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, ok := readOwner(dir); ok {
			t.Errorf("%q was taken for %+v", left, got)
		}
	}
	if again, err := own(dir, owner{PID: 1}); err != nil {
		t.Errorf("what is left over must not keep anybody out: %v", err)
	} else {
		again()
	}
}

func TestReport(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
		want string
	}{
		{nil, 0, ""},
		{errors.New("x"), exitFailed, "parley: x\n"},
		{bare{`{"a":1}`}, exitFailed, "{\"a\":1}\n"},
		{fault{exitListen, errors.New("x"), "Do y."}, exitListen, "parley: x\nDo y.\n"},
		{errors.Join(fault{exitOwned, errors.New("x"), ""}, nil), exitOwned, "parley: x\n"},
	} {
		var b bytes.Buffer
		if got := report(&b, c.err); got != c.code || b.String() != c.want {
			t.Errorf("report(%v) = %d, %q, want %d, %q", c.err, got, b.String(), c.code, c.want)
		}
	}
}

func TestPrintPayload(t *testing.T) {
	for _, c := range []struct {
		payload string
		pretty  bool
		want    string
	}{
		{`{"a": [1,2]}`, false, "{\"a\":[1,2]}\n"},
		{`{"a":1}`, true, "{\n  \"a\": 1\n}\n"},
		{"", false, "null\n"},
	} {
		var payload rawjson.Value
		if c.payload != "" {
			payload = rawjson.Value(c.payload)
		}
		var b bytes.Buffer
		if err := printPayload(&b, payload, c.pretty); err != nil || b.String() != c.want {
			t.Errorf("printPayload(%s, %v) = %q, %v", c.payload, c.pretty, b.String(), err)
		}
	}
}

func TestPairingRefusalSaysWhatToDo(t *testing.T) {
	e := &client.Error{Code: "NOT_PAIRED", Details: rawjson.Value(`{"code":"PAIRING_REQUIRED","requestId":"r-1"}`)}
	if got := remedyFor(e); !strings.Contains(got, "parley devices approve r-1") {
		t.Errorf("got %q", got)
	}
}
