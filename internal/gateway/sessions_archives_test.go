package gateway_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/gatewaytest"
	"github.com/parleyd/parley/internal/rawjson"
)

// archived runs f with a gateway on a new state directory that has these files.
// DIR in their texts stands for the sessions directory of the agent main.
func archived(t *testing.T, conf string, files map[string]string, f func(t *testing.T, l *gatewaytest.Listener, dir string)) {
	t.Helper()
	state := t.TempDir()
	path := filepath.Join(state, "parley.json")
	writeFile(t, path, `{gateway: {auth: {mode: "token", token: "secret-token"}}, `+conf+`}`)
	dir := filepath.Join(state, "agents/main/sessions")
	for name, text := range files {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			t.Fatal(err)
		}
		writeFile(t, at, strings.ReplaceAll(text, "DIR", dir))
	}
	synctest.Test(t, func(t *testing.T) {
		l := gatewaytest.NewListener(t)
		stop := serve(t, l, path, state)
		defer stop()
		f(t, l, dir)
	})
}

// conversation is a transcript in which a user said something.
func conversation(id, text string) string {
	return `{"type":"session","version":3,"id":"` + id + `","timestamp":"2026-01-05T10:00:00.000Z","cwd":"/w"}` + "\n" +
		`{"type":"message","id":"00000001","parentId":null,"timestamp":"2026-01-05T10:00:01.000Z","message":{"role":"user","content":"` + text + `"}}` + "\n"
}

// texts are the words of a session's messages.
func texts(t *testing.T, c *gatewaytest.Client, key string) (out []string) {
	t.Helper()
	var r struct {
		Messages []struct {
			Content rawjson.Value `json:"content"`
		} `json:"messages"`
	}
	decode(t, c.Call("sessions.get", `{"key":"`+key+`"}`), &r)
	for _, m := range r.Messages {
		text, ok := rawjson.Text(m.Content)
		if !ok {
			text = string(m.Content)
		}
		out = append(out, text)
	}
	return out
}

func decode(t *testing.T, v rawjson.Value, into any) {
	t.Helper()
	if err := rawjson.Unmarshal(v, into); err != nil {
		t.Fatalf("%s: %v", v, err)
	}
}

func quoted(s string) string { return string(rawjson.MustMarshal(s)) }

// refusals calls a method with params that are refused, and compares the texts.
func refusals(t *testing.T, c *gatewaytest.Client, method string, list [][2]string) {
	t.Helper()
	for _, tt := range list {
		var e struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		}
		decode(t, c.Refused(method, tt[0]), &e)
		if e.Code != "INVALID_REQUEST" || e.Message != tt[1] {
			t.Errorf("%s %s: %s %s, want %s", method, tt[0], e.Code, e.Message, tt[1])
		}
	}
}

type archivesAnswer struct {
	TS         int64 `json:"ts"`
	Count      int   `json:"count"`
	TotalCount int   `json:"totalCount"`
	HasMore    bool  `json:"hasMore"`
	NextOffset *int  `json:"nextOffset"`
}

// archivesOf is the answer to sessions.archives, and its rows in short.
func archivesOf(t *testing.T, c *gatewaytest.Client, params string) (a archivesAnswer, rows []string) {
	t.Helper()
	raw := c.Call("sessions.archives", params)
	o, err := rawjson.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	list, _ := rawjson.Array(o.Get("archives"))
	for _, v := range list {
		row, err := rawjson.Parse(v)
		if err != nil {
			t.Fatal(err)
		}
		if at, _ := rawjson.Number(row.Get("archivedAt")); at <= 0 || !row.Has("size") {
			t.Errorf("row %s", v)
		}
		rows = append(rows, strings.Join([]string{
			row.Text("sessionId"), row.Text("agentId"), row.Text("key"), row.Text("reason"), row.Text("label"), row.Text("displayName"), row.Text("title"),
		}, "|"))
	}
	decode(t, raw, &a)
	if a.Count != len(rows) || a.TS <= 0 {
		t.Errorf("count %d of %d rows, ts %d", a.Count, len(rows), a.TS)
	}
	return a, rows
}

func TestSessionsArchives(t *testing.T) {
	archived(t, `agents: {list: [{id: "main"}, {id: "ops"}]}`, map[string]string{
		"sessions.json": `{"agent:main:d":{"sessionId":"s-d","updatedAt":5,"label":"L","displayName":"D"},"agent:main:r":{"sessionId":"s-r","updatedAt":6,"label":"R"}}`,
		"s-d.jsonl":     conversation("s-d", "of d"), "s-r.jsonl": conversation("s-r", "of   r"),
		"bare.jsonl.deleted.1999-01-05T10-00-00.000Z":                    conversation("bare", "of nobody"),
		"mute.jsonl.reset.1999-01-04T10-00-00.000Z":                      `{"type":"session","version":3,"id":"mute"}` + "\n",
		"bare.jsonl.bak.1999-01-03T10-00-00.000Z":                        conversation("bare", "a copy"),
		"../../ops/sessions/o.jsonl.deleted.1999-01-02T10-00-00.000Z":    conversation("o", "of ops"),
		"../../ops/sessions/x.txt.reset.1999-01-01T10-00-00.000Z":        conversation("x", "of an odd name"),
		"../../ops/sessions/sessions.json.deleted.1999-01-01T10-00-00Z~": "",
	}, func(t *testing.T, l *gatewaytest.Listener, dir string) {
		a := gatewaytest.Connect(t, l, "")
		a.Call("sessions.delete", `{"key":"d"}`)
		<-time.After(time.Second)
		a.Call("sessions.reset", `{"key":"r"}`)
		all := []string{
			"s-r|main|agent:main:r|reset|R||of r", "s-d|main|agent:main:d|deleted|L|D|D", "bare|main||deleted|||of nobody", "mute|main||reset|||mute (1999-01-04)",
			"o|ops||deleted|||of ops", "|ops||reset|||of an odd name",
		}
		for _, tt := range []struct {
			params string
			want   []string
			total  int
			next   int // 0 for none
		}{
			{"", all, 6, 0}, {`{"limit":2}`, all[:2], 6, 2}, {`{"limit":2.0,"offset":2}`, all[2:4], 6, 4}, {`{"limit":2,"offset":4}`, all[4:], 6, 0},
			{`{"offset":6}`, nil, 6, 0}, {`{"offset":99999999999999999999}`, nil, 6, 0}, {`{"offset":5,"limit":99999999999999999999}`, all[5:], 6, 0},
			{`{"key":"D"}`, all[1:2], 1, 0}, {`{"key":"bare"}`, nil, 0, 0}, {`{"key":" "}`, all, 6, 0}, {`{"key":"agent:ops:d"}`, nil, 0, 0},
			{`{"agentId":"OPS"}`, all[4:], 2, 0}, {`{"agentId":" "}`, all, 6, 0}, {`{"agentId":"none","limit":1}`, nil, 0, 0}, {`{"agentId":"main","offset":1,"limit":1}`, all[1:2], 4, 2},
		} {
			got, rows := archivesOf(t, a, tt.params)
			if diff := cmp.Diff(tt.want, rows); diff != "" || got.TotalCount != tt.total || got.HasMore != (tt.next > 0) || got.HasMore && *got.NextOffset != tt.next || !got.HasMore && got.NextOffset != nil {
				t.Errorf("%s: %s, %+v", tt.params, diff, got)
			}
		}
		if got := string(a.Call("sessions.archives", `{"key":"none"}`)); !strings.HasSuffix(got, `"count":0,"archives":[],"totalCount":0,"hasMore":false,"nextOffset":null}`) {
			t.Errorf("nothing: %s", got)
		}
		refusals(t, a, "sessions.archives", [][2]string{
			{`{"limit":0,"x":1}`, "invalid sessions.archives params: at root: unexpected property 'x'; at /limit: must be >= 1"},
			{`{"offset":-1}`, "invalid sessions.archives params: at /offset: must be >= 0"},
			{`{"key":""}`, "invalid sessions.archives params: at /key: must NOT have fewer than 1 characters"},
		})
		none := gatewaytest.Connect(t, l, `{"scopes":["operator.pairing"]}`)
		refusals(t, none, "sessions.archives", [][2]string{{`{}`, "missing scope: operator.read"}})
	})
}

func TestSessionsRestore(t *testing.T) {
	archived(t, "", map[string]string{
		"sessions.json": `{"agent:main:d":{"sessionId":"s-d","updatedAt":5,"label":"L","thinkingLevel":"high","modelOverride":"m","providerOverride":"p","parentSessionKey":"agent:main:main"},
			"agent:main:r":{"sessionId":"s-r","updatedAt":6,"label":"R","totalTokens":7}}`,
		"s-d.jsonl": conversation("s-d", "of d"), "s-r.jsonl": conversation("s-r", "of r"),
		"bare.jsonl.deleted.2020-01-05T10-00-00.000Z": conversation("bare", "of nobody"),
	}, func(t *testing.T, l *gatewaytest.Listener, dir string) {
		a := gatewaytest.Connect(t, l, "")
		a.Call("sessions.subscribe", "")
		call := func(method, params string) rawjson.Value {
			t.Helper()
			res := a.Call(method, params)
			synctest.Wait() // what follows the answer of one call may come behind that of the next
			return res
		}
		var deleted struct {
			Archived []string `json:"archived"`
		}
		decode(t, call("sessions.delete", `{"key":"d"}`), &deleted)
		skip := len(a.Frames())

		got := string(call("sessions.restore", `{"archive":`+quoted(deleted.Archived[0])+`}`))
		want := `{"ok":true,"key":"agent:main:d","sessionId":"s-d","entry":{"sessionId":"s-d","updatedAt":TIME,"label":"L","thinkingLevel":"high","modelOverride":"m","providerOverride":"p","parentSessionKey":"agent:main:main"},` +
			`"transcript":"` + dir + `/s-d.jsonl","archived":[]}`
		if got = untimed(t, got); got != want {
			t.Errorf("of a deleted session: %s, want %s", got, want)
		}
		if got := texts(t, a, "d"); !slices.Equal(got, []string{"of d"}) {
			t.Errorf("messages %v", got)
		}

		// A reset, and there and back.
		call("sessions.reset", `{"key":"r"}`)
		call("sessions.patch", `{"key":"r","label":"N"}`)
		call("chat.inject", `{"sessionKey":"r","message":"later"}`)
		_, rows := archivesOf(t, a, `{"key":"r"}`)
		if len(rows) != 1 {
			t.Fatalf("archives of r: %v", rows)
		}
		for i := range 2 {
			list, _ := archivesOf(t, a, `{"key":"r","limit":1}`)
			name := filepath.Base(archivePath(t, a, `{"key":"r"}`))
			if list.TotalCount != 1 {
				t.Fatalf("%+v", list)
			}
			var r struct {
				SessionID string        `json:"sessionId"`
				Entry     rawjson.Value `json:"entry"`
				Archived  []string      `json:"archived"`
			}
			decode(t, call("sessions.restore", `{"archive":`+quoted(name)+`,"key":" R "}`), &r)
			if e, err := rawjson.Parse(r.Entry); err != nil || e.Text("label") != "N" || (string(e.Get("totalTokens")) == "7") != (i == 0) {
				t.Errorf("entry %s", r.Entry)
			}
			if len(r.Archived) != 1 || !strings.Contains(r.Archived[0], ".jsonl.reset.") || (r.SessionID == "s-r") != (i == 0) {
				t.Errorf("%+v", r)
			}
			if words := strings.Join(texts(t, a, "r"), ""); strings.Contains(words, "of r") != (i == 0) || strings.Contains(words, "later") != (i == 1) {
				t.Errorf("messages %s", words)
			}
		}
		call("sessions.restore", `{"archive":"bare.jsonl.deleted.2020-01-05T10-00-00.000Z","key":"new"}`)
		if got := texts(t, a, "new"); !slices.Equal(got, []string{"of nobody"}) {
			t.Errorf("messages %v", got)
		}
		synctest.Wait()
		events := slices.DeleteFunc(heard(t, a, skip), func(e string) bool { return e == "res" })
		if want := []string{"create d", "reset r", "patch r", "reset r", "reset r", "create new"}; !slices.Equal(events, want) {
			t.Errorf("events %q, want %q", events, want)
		}
		if all := heard(t, a, skip); all[0] != "res" || all[1] != "create d" {
			t.Errorf("the event came before the answer: %v", all)
		}
	})
}

// archivePath is the path of the first archive that is listed.
func archivePath(t *testing.T, c *gatewaytest.Client, params string) string {
	t.Helper()
	var r struct {
		Archives []struct {
			Archive string `json:"archive"`
		} `json:"archives"`
	}
	decode(t, c.Call("sessions.archives", params), &r)
	if len(r.Archives) == 0 {
		t.Fatalf("no archives with %s", params)
	}
	return r.Archives[0].Archive
}

// untimed has TIME in place of the entry's updatedAt.
func untimed(t *testing.T, answer string) string {
	t.Helper()
	before, rest, ok := strings.Cut(answer, `"updatedAt":`)
	i := strings.IndexAny(rest, ",}")
	if !ok || i < 0 {
		t.Fatalf("no updatedAt in %s", answer)
	}
	return before + `"updatedAt":TIME` + rest[i:]
}

// What a person settled for a session counts for what comes back to it, and a
// conversation that /new or the daily reset ended comes back, too.
func TestRestoreOfWhatRunsEnded(t *testing.T) {
	archived(t, "", nil, func(t *testing.T, l *gatewaytest.Listener, dir string) {
		a := gatewaytest.Connect(t, l, "")
		say := func(text string) {
			t.Helper()
			id := fmt.Sprint("r", time.Now().UnixNano())
			a.Call("chat.send", `{"sessionKey":"k","message":"`+text+`","idempotencyKey":"`+id+`"}`)
			a.Call("agent.wait", `{"runId":"`+id+`"}`)
			<-time.After(time.Second)
		}
		say("one")
		say("/new")
		say("two")
		<-time.After(25 * time.Hour)
		say("three")
		list, rows := archivesOf(t, a, `{"key":"k"}`)
		if list.TotalCount != 2 || !strings.HasSuffix(rows[0], "|two") || !strings.HasSuffix(rows[1], "|one") {
			t.Fatalf("archives %q", rows)
		}
		a.Call("sessions.restore", `{"archive":`+quoted(archivePath(t, a, `{"key":"k","offset":1}`))+`}`)
		if got := strings.Join(texts(t, a, "k"), " "); !strings.Contains(got, "one") || strings.Contains(got, "three") {
			t.Errorf("messages %s", got)
		}
		if _, rows := archivesOf(t, a, `{"key":"k"}`); len(rows) != 2 || !strings.HasSuffix(rows[0], "|three") {
			t.Errorf("archives %q", rows)
		}
		say("four") // what came back is not too old to go on
		if got := strings.Join(texts(t, a, "k"), " "); !strings.Contains(got, "one") || !strings.Contains(got, "four") {
			t.Errorf("messages %s", got)
		}
	})
}

func TestSessionsRestoreRefusals(t *testing.T) {
	const bare = "bare.jsonl.deleted.2020-01-05T10-00-00.000Z"
	archived(t, "", map[string]string{
		"sessions.json": `{"agent:main:a":{"sessionId":"s-a","updatedAt":5},"agent:main:d":{"sessionId":"s-d","updatedAt":5,"label":"L"}}`,
		"s-d.jsonl":     conversation("s-d", "of d"), bare: conversation("bare", "of nobody"), "bare.jsonl.bak.2020-01-05T10-00-00.000Z": "",
	}, func(t *testing.T, l *gatewaytest.Listener, dir string) {
		a := gatewaytest.Connect(t, l, "")
		a.Call("sessions.delete", `{"key":"d"}`)
		d := quoted(archivePath(t, a, `{"key":"d"}`))
		synctest.Wait() // until the deletion has been told
		a.Call("sessions.subscribe", "")
		skip := len(a.Frames())
		refusals(t, a, "sessions.restore", [][2]string{
			{`{}`, "invalid sessions.restore params: must have required property 'archive'"},
			{`{"archive":"","y":1}`, "invalid sessions.restore params: at root: unexpected property 'y'; at /archive: must NOT have fewer than 1 characters"},
			{`{"archive":"` + bare + `"}`, "nothing is recorded of this archive: give the key that its session is to have"},
			{`{"archive":"` + bare + `","key":" "}`, "nothing is recorded of this archive: give the key that its session is to have"},
			{`{"archive":"` + bare + `","key":"agent::x"}`, `malformed session key "agent::x"`},
			{`{"archive":"x","key":"agent:x"}`, `malformed session key "agent:x"`},
			{`{"archive":"` + bare + `","key":"a"}`, "session already exists: agent:main:a"},
			{`{"archive":` + d + `,"key":"A"}`, "session already exists: agent:main:a"},
			{`{"archive":` + d + `,"expectedSessionId":"s-d"}`, "Session agent:main:d changed before restore: session id s-d was expected, but it has none. Read the session again before you decide."},
			{`{"archive":"x.jsonl.reset.2020-01-05T10-00-00.000Z"}`, "unknown archive: x.jsonl.reset.2020-01-05T10-00-00.000Z"},
			{`{"archive":"` + dir + `/s-a.jsonl"}`, "not an archive of a reset or a deletion: " + dir + "/s-a.jsonl"},
			{`{"archive":"` + dir + `/bare.jsonl.bak.2020-01-05T10-00-00.000Z","key":"n"}`, "not an archive of a reset or a deletion: " + dir + "/bare.jsonl.bak.2020-01-05T10-00-00.000Z"},
			{`{"archive":"../` + bare + `","key":"n"}`, "archive must be an absolute path or a name without directories: ../" + bare},
			{`{"archive":"/etc/` + bare + `","key":"n"}`, "archive is in no sessions directory: /etc/" + bare},
		})
		writer := gatewaytest.Connect(t, l, `{"scopes":["operator.write"]}`)
		refusals(t, writer, "sessions.restore", [][2]string{{`{}`, "missing scope: operator.admin"}})
		page := gatewaytest.Connect(t, l, `{"client":{"id":"webchat-ui","mode":"webchat","version":"1","platform":"web"},"headers":{"Origin":"http://127.0.0.1:18789","Host":"127.0.0.1:18789"}}`)
		refusals(t, page, "sessions.restore", [][2]string{{`{"archive":"x"}`, "webchat clients cannot restore sessions; use chat.send for session-scoped updates"}})
		if events := heard(t, a, skip); len(slices.DeleteFunc(events, func(e string) bool { return e == "res" })) != 0 {
			t.Errorf("refusals are announced: %v", events)
		}

		a.Call("sessions.patch", `{"key":"a","label":"L"}`)
		got := string(a.Call("sessions.restore", `{"archive":`+d+`}`))
		if !strings.HasSuffix(got, `"archived":[],"labelTaken":"L"}`) || strings.Contains(got, `"label":`) {
			t.Errorf("with a label that is taken: %s", got)
		}
		refusals(t, a, "sessions.restore", [][2]string{{`{"archive":` + d + `}`, "unknown archive: " + strings.Trim(d, `"`)}})
	})
}

// A run must not lose the file it writes to: its end is awaited, but not for
// ever.
func TestRestoreAwaitsARun(t *testing.T) {
	archived(t, "", map[string]string{
		"sessions.json": `{"agent:main:k":{"sessionId":"s-k","updatedAt":5}}`, "s-k.jsonl": conversation("s-k", "before"),
	}, func(t *testing.T, l *gatewaytest.Listener, dir string) {
		a := gatewaytest.Connect(t, l, "")
		a.Call("sessions.reset", `{"key":"k"}`)
		path := quoted(archivePath(t, a, ""))
		a.Call("chat.send", `{"sessionKey":"k","message":"[[drip 12 1000]]","idempotencyKey":"r"}`)
		start := time.Now()
		if got := string(a.Refused("sessions.restore", `{"archive":`+path+`}`)); !strings.Contains(got, `"UNAVAILABLE","message":"Session agent:main:k is still active; try again in a moment."`) || time.Since(start) != 10*time.Second {
			t.Errorf("after %v: %s", time.Since(start), got)
		}
		a.Call("sessions.restore", `{"archive":`+path+`,"key":"k"}`)
		if got := texts(t, a, "k"); !slices.Equal(got, []string{"before"}) {
			t.Errorf("messages %v", got)
		}
		if _, rows := archivesOf(t, a, `{"key":"k"}`); len(rows) != 1 || !strings.Contains(rows[0], "[[drip") {
			t.Errorf("archives %q", rows)
		}
	})
}
