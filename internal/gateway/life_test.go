package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/gatewaytest"
	"github.com/parleyd/parley/internal/rawjson"
)

// act is a call of the life that crash tests play, and what it is to leave.
type act struct {
	method, params string
	key            string // the session that it is about; agent:main: is left out
	label          string // that the session has then; "-" when the session is gone then
	says           string // text that it puts into the session
	answer         string // text of the model's answer
	ends, cuts     bool   // it sets the transcript aside, or shortens it
	refused        bool   // always
}

// long is a text of several blocks, so that there is something to tear.
var long = "[[say done]] " + strings.Repeat("long ", 2000)

// life has every call that stores something, on sessions that live on, begin
// anew and end.
var life = []act{
	{method: "sessions.create", params: `{"key":"a","label":"a1"}`, key: "a", label: "a1"},
	{method: "chat.inject", params: `{"sessionKey":"a","message":"note 1"}`, key: "a", says: "note 1"},
	{method: "chat.send", params: `{"sessionKey":"a","message":"hello 1","idempotencyKey":"r1"}`, key: "a", says: "hello 1", answer: "echo: hello 1"},
	{method: "sessions.patch", params: `{"key":"a","label":"a2"}`, key: "a", label: "a2"},
	{method: "sessions.create", params: `{"key":"b","label":"b1","message":"first"}`, key: "b", label: "b1", says: "first", answer: "echo: first"},
	{method: "chat.send", params: `{"sessionKey":"a","message":"look","idempotencyKey":"r2","attachments":[{"type":"image","mimeType":"image/png","content":"` + png + `"}]}`,
		key: "a", says: "look", answer: "echo: look"},
	{method: "sessions.compact", params: `{"key":"a","maxLines":4}`, key: "a", cuts: true},
	{method: "sessions.create", params: `{"key":"agent:ops:bad","label":"new"}`, key: "agent:ops:bad", label: "new", refused: true},
	{method: "sessions.send", params: `{"key":"a","message":"` + long + `","idempotencyKey":"r3"}`, key: "a", says: long, answer: "done"},
	{method: "sessions.reset", params: `{"key":"a"}`, key: "a", ends: true},
	{method: "chat.inject", params: `{"sessionKey":"b","message":"note 2"}`, key: "b", says: "note 2"},
	{method: "chat.send", params: `{"sessionKey":"a","message":"hello 2","idempotencyKey":"r4"}`, key: "a", says: "hello 2", answer: "echo: hello 2"},
	{method: "sessions.delete", params: `{"key":"b"}`, key: "b", label: "-", ends: true},
	{method: "sessions.patch", params: `{"key":"a","label":"a3"}`, key: "a", label: "a3"},
	{method: "chat.send", params: `{"sessionKey":"c","message":"new here","idempotencyKey":"r5"}`, key: "c", label: "", says: "new here", answer: "echo: new here"},
}

// prepare makes what lies in the state directory before a life: another agent's
// session whose transcript cannot be made. The sessions' own directory is new.
func prepare(t testing.TB, state string) {
	t.Helper()
	dir := filepath.Join(state, "agents", "ops", "sessions")
	if err := os.MkdirAll(filepath.Join(dir, "bad.jsonl"), 0o700); err != nil {
		t.Fatal(err)
	}
	writeText(t, filepath.Join(dir, "sessions.json"), `{"agent:ops:bad":{"sessionId":"bad","updatedAt":1,"label":"kept"}}`)
}

// moment is something that a life tells while it goes on.
type moment struct {
	act  int
	when when
	ok   bool
	run  bool // the answer tells of one
}

type when int

const (
	begun    when = iota // the call is about to be made
	answered             // and it is ok or was refused
	over                 // its run has ended, well or not
)

// playLife plays a life on a gateway, which a client connects to in this way
// (see gatewaytest.Connect), and tells what the client learns. It waits a
// while now and then, so that background work has its turn. Call it in a
// bubble.
func playLife(t testing.TB, l *gatewaytest.Listener, connect string, tell func(moment)) {
	t.Helper()
	c := gatewaytest.Connect(t, l, connect)
	for i, a := range life {
		tell(moment{act: i, when: begun})
		payload, fault := c.Try(a.method, a.params)
		if a.refused && fault == nil {
			t.Errorf("%s %s is not refused", a.method, a.params)
		}
		id := runID(payload)
		tell(moment{act: i, when: answered, ok: fault == nil, run: id != ""})
		if id != "" {
			tell(moment{act: i, when: over, ok: awaitFinal(t, c, id)})
		}
		if i%4 == 2 {
			time.Sleep(700 * time.Millisecond)
		}
	}
	c.Close()
}

// runID is the run that an answer tells of, "" for none.
func runID(payload rawjson.Value) string {
	o, err := rawjson.Parse(payload)
	if err != nil {
		return ""
	}
	return o.Text("runId")
}

// awaitFinal waits for the end of a run and says whether it is the answer.
func awaitFinal(t testing.TB, c *gatewaytest.Client, run string) bool {
	t.Helper()
	for {
		o, err := rawjson.Parse(c.Event("chat"))
		if err != nil {
			t.Fatal(err)
		}
		p, err := rawjson.Parse(o.Get("payload"))
		if err != nil {
			t.Fatal(err)
		}
		if state := p.Text("state"); p.Text("runId") == run && state != "delta" {
			return state == "final"
		}
	}
}

// runLife plays a life on a state directory, through files. It reports what was
// told, and calls between before the gateway stops.
func runLife(t testing.TB, state string, files *disk.FS, connect string, tell func(moment), between func()) {
	t.Helper()
	g, err := New(optionsFor(t, state, files))
	if err != nil {
		t.Fatal(err)
	}
	l := gatewaytest.NewListener(t)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- g.Serve(ctx, l) }()
	playLife(t, l, connect, tell)
	between()
	cancel()
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
	_ = g.Close() // faults may reach here
}

func optionsFor(t testing.TB, state string, files *disk.FS) Options {
	t.Helper()
	path := filepath.Join(t.TempDir(), "parley.json")
	writeText(t, path, `{gateway: {auth: {mode: "token", token: "secret-token"}}}`)
	cfg, _, err := config.Load(config.Options{Path: path, StateDir: state, Env: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	return Options{Config: cfg, Log: slog.New(slog.DiscardHandler), Version: "test", Disk: files}
}

// expected is what a client may expect after a part of a life.
type expected struct {
	labels map[string][]string // those that a session may have; "-" is no session
	texts  []*expectedText     // in order
	faulty bool
}

// expectedText is a text that is, or may be, in a transcript.
type expectedText struct {
	text, key  string
	sure       bool // it was acknowledged
	failed     bool // its run was, before it was set aside
	cut        bool // it may be in the copy that a compaction made only
	ends, done bool // its transcript is being set aside, or is
}

// expect is what a client may expect that has learned this much. On a disk that
// has failed, a change that was refused may have happened all the same.
func expect(told []moment, faulty bool) *expected {
	e := &expected{faulty: faulty, labels: map[string][]string{"a": {"-"}, "b": {"-"}, "c": {"-"}, "agent:ops:bad": {"kept"}}}
	for _, m := range told {
		switch a := life[m.act]; m.when {
		case begun:
			e.begin(a)
		case answered:
			e.answer(a, m)
		case over:
			e.over(a, m.ok)
		}
	}
	return e
}

func (e *expected) begin(a act) {
	if a.label != "" || slices.Contains(e.labels[a.key], "-") {
		e.labels[a.key] = append(e.labels[a.key], a.label)
	}
	for _, x := range e.of(a.key) {
		x.cut = x.cut || a.cuts
		x.ends = x.ends || a.ends
	}
	for _, text := range []string{a.says, a.answer} {
		if text != "" {
			e.texts = append(e.texts, &expectedText{text: text, key: a.key})
		}
	}
}

func (e *expected) answer(a act, m moment) {
	if !m.ok {
		if labels := e.labels[a.key]; a.label != "" && !e.faulty {
			e.labels[a.key] = labels[:len(labels)-1]
		}
		return
	}
	switch {
	case a.label != "":
		e.labels[a.key] = []string{a.label}
	case a.says != "":
		e.exists(a.key)
	}
	for _, x := range e.of(a.key) {
		x.done = x.done || a.ends
		x.sure = x.sure || a.says != "" && x.text == a.says && (m.run || a.answer == "")
	}
}

func (e *expected) exists(key string) {
	e.labels[key] = slices.DeleteFunc(e.labels[key], func(label string) bool { return label == "-" })
}

func (e *expected) over(a act, ok bool) {
	for _, x := range e.of(a.key) {
		x.sure = x.sure || ok && x.text == a.answer
		x.failed = x.failed || !ok && x.text == a.says
	}
}

// of are the texts of a session's current transcript.
func (e *expected) of(key string) (texts []*expectedText) {
	for _, x := range e.texts {
		if x.key == key && !x.done {
			texts = append(texts, x)
		}
	}
	return texts
}

func (x *expectedText) String() string { return fmt.Sprintf("%.20q of session %s", x.text, x.key) }
