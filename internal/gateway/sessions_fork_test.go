package gateway_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/parleyd/parley/internal/gatewaytest"
	"github.com/parleyd/parley/internal/rawjson"
)

type forkAnswer struct {
	OK         bool          `json:"ok"`
	Key        string        `json:"key"`
	SessionKey string        `json:"sessionKey"`
	SessionID  string        `json:"sessionId"`
	Entry      rawjson.Value `json:"entry"`
}

// forkOf is the answer to sessions.fork, and its entry without what is new each
// time.
func forkOf(t *testing.T, c *gatewaytest.Client, params string) (r forkAnswer, entry string) {
	t.Helper()
	decode(t, c.Call("sessions.fork", params), &r)
	if !r.OK || r.Key != r.SessionKey || r.SessionID == "" {
		t.Errorf("%s: %+v", params, r)
	}
	entry = strings.ReplaceAll(untimed(t, string(r.Entry)), r.SessionID, "ID")
	return r, entry
}

func TestSessionsFork(t *testing.T) {
	archived(t, `agents: {list: [{id: "main"}, {id: "ops"}]}`, map[string]string{
		"sessions.json": `{"agent:main:k":{"sessionId":"s-k","updatedAt":5,"label":"L","thinkingLevel":"low","modelOverride":"m","providerOverride":"p","lastTo":"t","origin":{"label":"o"}},
			"agent:main:silent":{"sessionId":"s-silent","updatedAt":4}}`,
		"../../ops/sessions/sessions.json": `{"Agent:Ops:O":{"sessionId":"s-o","updatedAt":5}}`, "../../ops/sessions/s-o.jsonl": conversation("s-o", "of ops"),
		"s-k.jsonl": conversation("s-k", "one") + `{"type":"message","id":"00000002","parentId":"00000001","message":{"role":"assistant","content":[{"type":"toolCall","id":"c","name":"ls","arguments":{}}]}}` + "\n" +
			`{"type":"message","id":"00000003","parentId":"00000002","message":{"role":"toolResult","toolCallId":"c","content":"two"}}` + "\n" +
			`{"type":"message","id":"00000004","parentId":"00000003","message":{"role":"user","content":"three"}}` + "\n",
	}, func(t *testing.T, l *gatewaytest.Listener, dir string) {
		a := gatewaytest.Connect(t, l, `{"scopes":["operator.write"]}`)
		a.Call("sessions.subscribe", "")
		const plain = `{"sessionId":"ID","updatedAt":TIME,"thinkingLevel":"low","providerOverride":"p","modelOverride":"m","parentSessionKey":"agent:main:k","forkedFromParent":true`
		for _, tt := range []struct {
			params, agent, entry string
			last                 string
			n                    int
		}{
			{`{"sessionKey":"k"}`, "main", plain + `}`, "three", 4},
			{`{"sessionKey":" K ","entryId":"00000001","label":" N "}`, "main", plain + `,"label":"N"}`, "one", 1},
			{`{"sessionKey":"k","entryId":"00000002"}`, "main", plain + `}`, "two", 3},
			{`{"sessionKey":"k","entryId":"00000004"}`, "main", plain + `}`, "three", 4},
			{`{"sessionKey":"agent:ops:o"}`, "ops", `{"sessionId":"ID","updatedAt":TIME,"parentSessionKey":"agent:ops:o","forkedFromParent":true}`, "of ops", 1},
			{`{"sessionKey":"silent"}`, "main", `{"sessionId":"ID","updatedAt":TIME,"parentSessionKey":"agent:main:silent","forkedFromParent":true}`, "", 0},
		} {
			skip := len(a.Frames())
			r, entry := forkOf(t, a, tt.params)
			if entry != tt.entry || !strings.HasPrefix(r.Key, "agent:"+tt.agent+":dashboard:") {
				t.Errorf("%s: %s, %s, want %s", tt.params, r.Key, entry, tt.entry)
			}
			got := texts(t, a, r.Key)
			if len(got) != tt.n || tt.n > 0 && got[tt.n-1] != tt.last {
				t.Errorf("%s: messages %q", tt.params, got)
			}
			head, _, _ := strings.Cut(readFile(t, filepath.Join(dir, "../../"+tt.agent+"/sessions", r.SessionID+".jsonl")), "\n")
			if !strings.Contains(head, `"id":"`+r.SessionID+`"`) || strings.Contains(head, `"parentSession":"`+filepath.Join(dir, "../..")) != (tt.n > 0) {
				t.Errorf("%s: header %s", tt.params, head)
			}
			synctest.Wait()
			if events := heard(t, a, skip); events[0] != "res" || !slices.Contains(events, "create "+strings.TrimPrefix(r.Key, "agent:main:")) {
				t.Errorf("%s: events %v", tt.params, events)
			}
		}
		// It goes on by itself, and the source does not change.
		r, _ := forkOf(t, a, `{"sessionKey":"k","entryId":"00000001"}`)
		a.Call("chat.send", `{"sessionKey":"`+r.Key+`","message":"on","idempotencyKey":"r"}`)
		a.Call("agent.wait", `{"runId":"r"}`)
		if got := texts(t, a, r.Key); len(got) != 3 || got[0] != "one" {
			t.Errorf("messages %q", got)
		}
		if got := texts(t, a, "k"); len(got) != 4 {
			t.Errorf("messages of the source %q", got)
		}
		if got := string(a.Call("sessions.list", `{"search":"s-k"}`)); !strings.Contains(got, `"childSessions":["agent:main:dashboard:`) {
			t.Errorf("row of the source %s", got)
		}
	})
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSessionsForkRefusals(t *testing.T) {
	archived(t, "", map[string]string{
		"sessions.json": `{"agent:main:k":{"sessionId":"s-k","updatedAt":5,"label":"L"},"agent:main:bare":{"updatedAt":4},"agent:main:silent":{"sessionId":"s-silent","updatedAt":4}}`,
		"s-k.jsonl":     conversation("s-k", "one"),
	}, func(t *testing.T, l *gatewaytest.Listener, dir string) {
		a := gatewaytest.Connect(t, l, "")
		a.Call("sessions.subscribe", "")
		skip := len(a.Frames())
		refusals(t, a, "sessions.fork", [][2]string{
			{`{}`, "invalid sessions.fork params: must have required property 'sessionKey'"},
			{`{"sessionKey":"k","key":"k","entryId":"","label":""}`, "invalid sessions.fork params: at root: unexpected property 'key'; at /entryId: must NOT have fewer than 1 characters; at /label: must NOT have fewer than 1 characters"},
			{`{"sessionKey":" "}`, "key required"},
			{`{"sessionKey":" none "}`, "unknown session: none"},
			{`{"sessionKey":"agent::x"}`, "unknown session: agent::x"},
			{`{"sessionKey":"bare"}`, "unknown session: bare"},
			{`{"sessionKey":"K","entryId":"00000009"}`, "message not found in session agent:main:k: 00000009"},
			{`{"sessionKey":"k","entryId":"s-k"}`, "message not found in session agent:main:k: s-k"},
			{`{"sessionKey":"silent","entryId":"00000001"}`, "message not found in session agent:main:silent: 00000001"},
			{`{"sessionKey":"k","label":" "}`, "invalid label: empty"},
			{`{"sessionKey":"k","label":" L ","entryId":"00000009"}`, "label already in use: L"},
		})
		reader := gatewaytest.Connect(t, l, `{"scopes":["operator.read"]}`)
		refusals(t, reader, "sessions.fork", [][2]string{{`{}`, "missing scope: operator.write"}})
		if events := slices.DeleteFunc(heard(t, a, skip), func(e string) bool { return e == "res" }); len(events) != 0 {
			t.Errorf("refusals are announced: %v", events)
		}
		if got := filesIn(t, dir); got != "k" {
			t.Errorf("files %s", got)
		}
	})
}

// Of forks with one label at the same time one is made, and the others leave
// nothing.
func TestForksWithOneLabel(t *testing.T) {
	archived(t, "", map[string]string{
		"sessions.json": `{"agent:main:k":{"sessionId":"s-k","updatedAt":5}}`, "s-k.jsonl": conversation("s-k", "one"),
	}, func(t *testing.T, l *gatewaytest.Listener, dir string) {
		var wg sync.WaitGroup
		refused := make([]rawjson.Value, 6)
		for i := range refused {
			c := gatewaytest.Connect(t, l, "")
			wg.Go(func() { _, refused[i] = c.Try("sessions.fork", `{"sessionKey":"k","label":"L"}`) })
		}
		wg.Wait()
		made := 0
		for _, e := range refused {
			if e == nil {
				made++
			} else if !strings.Contains(string(e), "label already in use: L") {
				t.Errorf("refused with %s", e)
			}
		}
		names, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
		if err != nil || made != 1 || len(names) != 2 {
			t.Errorf("%d were made, files %v, %v", made, names, err)
		}
	})
}
