package gateway_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parleyd/parley/internal/acp/acptest"
	"github.com/parleyd/parley/internal/gatewaytest"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// agentGateway serves a gateway whose model is the scripted agent, in real time.
// more are further keys of its provider.
func agentGateway(t *testing.T, state, more string) (l *gatewaytest.Listener, stop func()) {
	t.Helper()
	name, value := acptest.Env()
	return programGateway(t, state, fmt.Sprintf(`command: %q, env: {%s: %q, GORACE: "atexit_sleep_ms=0", PATH: %q}, %s`,
		acptest.Command(), name, value, os.Getenv("PATH"), more))
}

// programGateway is agentGateway with another program.
func programGateway(t *testing.T, state, provider string) (l *gatewaytest.Listener, stop func()) {
	t.Helper()
	path := filepath.Join(state, "parley.json")
	writeFile(t, path, `{gateway: {auth: {mode: "token", token: "secret-token"}}, agents: {defaults: {model: "coder/m"}},
		models: {providers: {coder: {api: "acp", models: [{id: "m"}], `+provider+`}}}}`)
	l = gatewaytest.NewListener(t)
	stop = serve(t, l, path, state)
	t.Cleanup(stop)
	return l, stop
}

// at is a member of a member of JSON, by a path with dots.
func at(t *testing.T, v rawjson.Value, path string) rawjson.Value {
	t.Helper()
	for name := range strings.SplitSeq(path, ".") {
		o, err := rawjson.Parse(v)
		if err != nil {
			return nil
		}
		v = o.Get(name)
	}
	return v
}

func textAt(t *testing.T, v rawjson.Value, path string) string {
	t.Helper()
	s, _ := rawjson.Text(at(t, v, path))
	return s
}

// finish waits for the end of a run and returns the last chat event of it.
func finish(t *testing.T, c *gatewaytest.Client, run string) rawjson.Value {
	t.Helper()
	for {
		e := c.Event("chat")
		if textAt(t, e, "payload.runId") == run && textAt(t, e, "payload.state") != "delta" {
			return e
		}
	}
}

// said is the text of a chat event.
func said(t *testing.T, e rawjson.Value) string {
	t.Helper()
	blocks, _ := rawjson.Array(at(t, e, "payload.message.content"))
	if len(blocks) == 0 {
		return textAt(t, e, "payload.errorMessage")
	}
	return textAt(t, blocks[0], "text")
}

func send(c *gatewaytest.Client, run, text string) {
	c.Call("chat.send", fmt.Sprintf(`{"sessionKey":"s","message":%q,"idempotencyKey":%q}`, text, run))
}

// story is what a client heard of a run's text and tools, a line for each event,
// but of several deltas in a row only the last: how many there are is a matter of
// time.
func story(t *testing.T, c *gatewaytest.Client, run string) []string {
	t.Helper()
	v, err := protocol.NewValidator()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	last := 0
	for _, f := range c.Frames() {
		name := textAt(t, f, "event")
		if name == "" || name == "sessions.changed" || textAt(t, f, "payload.runId") != run {
			continue
		}
		if wrong := v.Params("_event."+name, at(t, f, "payload")); wrong != "" {
			t.Errorf("%s is not as published: %s", f, wrong)
		}
		seq, err := strconv.Atoi(string(at(t, f, "payload.seq")))
		if err != nil || seq < last {
			t.Errorf("%s comes behind seq %d", f, last)
		}
		last = seq
		line := ""
		switch {
		case name == "chat":
			line = fmt.Sprintf("chat %s %q", textAt(t, f, "payload.state"), said(t, f))
		case textAt(t, f, "payload.stream") == "tool":
			line = fmt.Sprintf("%s %s", name, at(t, f, "payload.data"))
			if at(t, f, "seq") != nil {
				t.Errorf("an event to some connections is numbered: %s", f)
			}
		default:
			continue
		}
		const delta = "chat delta"
		if n := len(out) - 1; n >= 0 && strings.HasPrefix(out[n], delta) && strings.HasPrefix(line, delta) {
			out = out[:n]
		}
		out = append(out, line)
	}
	return out
}

func wantStory(t *testing.T, who string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s heard\n%s\nwant\n%s", who, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Clients draw what an agent does while it does it: its tools go to who started
// the run and asked for them, and to who follows all sessions, what tools gave
// only where the session says so.
func TestToolsOfAgentsAreShown(t *testing.T) {
	l, _ := agentGateway(t, t.TempDir(), "")
	starter, follower, other := gatewaytest.Connect(t, l, ""), gatewaytest.Connect(t, l, `{"caps":[]}`), gatewaytest.Connect(t, l, "")
	follower.Call("sessions.subscribe", "")
	const text = "[[say one]][[say  two]][[tool c1 read a.txt]][[more c1 half]][[done c1 all]][[say !]]"
	send(starter, "r1", text)
	for _, c := range []*gatewaytest.Client{starter, follower, other} {
		finish(t, c, "r1")
	}
	chat := []string{`chat delta "one two"`}
	final := []string{`chat delta "one two!"`, `chat final "one two!"`}
	steps := func(name, half, all string) []string {
		return []string{
			name + ` {"phase":"start","name":"read","title":"a.txt","toolCallId":"c1","args":{"path":"a.txt"}}`,
			name + ` {"phase":"update","name":"read","title":"a.txt","toolCallId":"c1"` + half + `}`,
			name + ` {"phase":"result","name":"read","title":"a.txt","toolCallId":"c1","isError":false` + all + `}`,
		}
	}
	wantStory(t, "who started it", story(t, starter, "r1"), slices.Concat(chat, steps("agent", "", ""), final))
	wantStory(t, "who follows all", story(t, follower, "r1"), slices.Concat(chat, steps("session.tool", "", ""), final))
	wantStory(t, "another", story(t, other, "r1"), final)

	starter.Call("sessions.patch", `{"key":"s","verboseLevel":"full"}`)
	send(starter, "r2", text)
	finish(t, starter, "r2")
	const half, all = `,"partialResult":{"content":[{"type":"text","text":"half"}]}`, `,"result":{"content":[{"type":"text","text":"all"}]}`
	wantStory(t, "who started a verbose one", story(t, starter, "r2"), slices.Concat(chat, steps("agent", half, all), final))
}

// Who sends to a session later sees the tools of what goes on there too.
func TestLaterSendersSeeTools(t *testing.T) {
	l, _ := agentGateway(t, t.TempDir(), `permissions: "ask"`)
	first, later := gatewaytest.Connect(t, l, ""), gatewaytest.Connect(t, l, "")
	send(first, "r1", "[[permit c1 ls]][[tool c2 read b]]")
	id := textAt(t, first.Event("exec.approval.requested"), "payload.id")
	send(later, "r2", "[[tool c3 read c]]")
	first.Call("exec.approval.resolve", `{"id":"`+id+`","decision":"allow-once"}`)
	finish(t, later, "r2")
	finish(t, first, "r2")
	tools := func(c *gatewaytest.Client, run string) (ids string) {
		for _, line := range story(t, c, run) {
			if _, rest, ok := strings.Cut(line, `"toolCallId":"`); ok {
				ids += rest[:2] + " "
			}
		}
		return ids
	}
	for _, w := range []struct {
		who  string
		c    *gatewaytest.Client
		run  string
		want string
	}{{"the first", first, "r1", "c1 c2 "}, {"the later one", later, "r1", "c2 "}, {"the first", first, "r2", ""}, {"the later one", later, "r2", "c3 "}} {
		if got := tools(w.c, w.run); got != w.want {
			t.Errorf("%s saw %q of %s, want %q", w.who, got, w.run, w.want)
		}
	}
}

// An agent's question is answered by somebody who may, whenever he connects.
func TestPermissionIsAskedFor(t *testing.T) {
	l, _ := agentGateway(t, t.TempDir(), `permissions: "ask"`)
	reader := gatewaytest.Connect(t, l, `{"scopes":["operator.read","operator.write"]}`)
	approver := gatewaytest.Connect(t, l, `{"scopes":["operator.approvals"],"client":{"id":"cli","version":"0.0.0","platform":"linux","mode":"cli","displayName":"Ann"}}`)
	if got := string(approver.Call("exec.approval.list", "")); got != `[]` {
		t.Errorf("nothing was asked yet: %s", got)
	}
	for i, c := range []struct{ decision, option string }{{"allow-once", "selected o2."}, {"allow-always", "selected o1."}, {"deny", "selected o3."}} {
		run := fmt.Sprint("r", i)
		send(reader, run, "[[permit c1 rm -rf /tmp/x]]")
		e := approver.Event("exec.approval.requested")
		id := textAt(t, e, "payload.id")
		asks := string(at(t, e, "payload"))
		created, _ := strconv.ParseInt(string(at(t, e, "payload.createdAtMs")), 10, 64)
		expires, _ := strconv.ParseInt(string(at(t, e, "payload.expiresAtMs")), 10, 64)
		if expires-created != 120_000 || time.Since(time.UnixMilli(created)).Abs() > time.Minute {
			t.Errorf("the times of %s", asks)
		}
		for path, want := range map[string]string{"command": "rm -rf /tmp/x", "host": "acp", "agentId": "main", "sessionKey": "agent:main:s", "provider": "coder", "runId": run, "toolCallId": "c1", "kind": "execute"} {
			if got := textAt(t, e, "payload.request."+path); got != want {
				t.Errorf("%s is %q, want %q", path, got, want)
			}
		}
		late := gatewaytest.Connect(t, l, "")
		if got := string(late.Call("exec.approval.list", "")); got != "["+asks+"]" {
			t.Errorf("who comes later reads %s, want [%s]", got, asks)
		}
		if got := textAt(t, reader.Refused("exec.approval.resolve", `{"id":"`+id+`","decision":"allow-once"}`), "message"); got != "missing scope: operator.approvals" {
			t.Errorf("who may not decide is told %q", got)
		}
		if got := textAt(t, approver.Refused("exec.approval.resolve", `{"id":"`+id+`","decision":"maybe"}`), "message"); got != "invalid decision" {
			t.Errorf("another decision: %q", got)
		}
		if got := string(approver.Call("exec.approval.resolve", `{"id":"`+id+`","decision":"`+c.decision+`"}`)); got != `{"ok":true}` {
			t.Errorf("resolve: %s", got)
		}
		if got := textAt(t, late.Refused("exec.approval.resolve", `{"id":"`+id+`","decision":"deny"}`), "message"); got != "unknown or expired approval id" {
			t.Errorf("once more: %q", got)
		}
		done := late.Event("exec.approval.resolved")
		if textAt(t, done, "payload.id") != id || textAt(t, done, "payload.decision") != c.decision || textAt(t, done, "payload.resolvedBy") != "Ann" {
			t.Errorf("resolved: %s", done)
		}
		if got := said(t, finish(t, reader, run)); got != c.option {
			t.Errorf("%s: the agent was told %q, want %q", c.decision, got, c.option)
		}
		late.Close()
	}
	reader.NoEvent("exec.approval.requested")
	reader.NoEvent("exec.approval.resolved")

	// The end of the run is the end of its question.
	send(reader, "r9", "[[permit c1 ls]]")
	id := textAt(t, approver.Event("exec.approval.requested"), "payload.id")
	reader.Call("chat.abort", `{"sessionKey":"s"}`)
	for done := approver.Event("exec.approval.resolved"); textAt(t, done, "payload.id") != id; done = approver.Event("exec.approval.resolved") {
	}
	if got := string(approver.Call("exec.approval.list", "")); got != `[]` {
		t.Errorf("the question still waits: %s", got)
	}
}

func TestAgentIsAborted(t *testing.T) {
	l, _ := agentGateway(t, t.TempDir(), "")
	c := gatewaytest.Connect(t, l, "")
	send(c, "r1", "[[say half of it]][[wait]]")
	c.Event("chat")
	if got := string(c.Call("chat.abort", `{"sessionKey":"s","runId":"r1"}`)); got != `{"ok":true,"aborted":true,"runIds":["r1"]}` {
		t.Errorf("abort: %s", got)
	}
	e := finish(t, c, "r1")
	if textAt(t, e, "payload.state") != "aborted" || said(t, e) != "half of it" {
		t.Errorf("the last of it: %s", e)
	}
	send(c, "r2", "go on [[recall]]")
	if got := said(t, finish(t, c, "r2")); !strings.HasPrefix(got, "[[say half of it]][[wait]] || go on [[recall]] in ") {
		t.Errorf("the agent was told %q", got)
	}
}

// A program that dies costs its turn, and says why; the next turn has a new one.
func TestAgentThatDies(t *testing.T) {
	l, _ := agentGateway(t, t.TempDir(), "")
	c := gatewaytest.Connect(t, l, "")
	send(c, "r1", "[[say x]][[stderr the disk is full]][[exit 7]]")
	e := finish(t, c, "r1")
	const want = "The agent \"coder\" ended by itself (exit status 7). It said last: the disk is full"
	if got := said(t, e); textAt(t, e, "payload.state") != "error" || got != want {
		t.Errorf("%s\nwant %q", e, want)
	}
	send(c, "r2", "and now")
	if got := said(t, finish(t, c, "r2")); got != "heard 1: and now" {
		t.Errorf("afterwards: %q", got)
	}
	if got := string(c.Call("models.list", "")); got != `{"models":[{"id":"m","name":"m","provider":"coder","reasoning":false,"input":["text"]}]}` {
		t.Errorf("models: %s", got)
	}
}

// What the gateway has started ends with it, and what was said goes on behind a
// restart where the agent can load it; a session that is reset begins anew.
func TestAgentAcrossRestarts(t *testing.T) {
	state := t.TempDir()
	store := fmt.Sprintf(`args: ["-store", %q], processes: "session"`, filepath.Join(state, "kept"))
	l, stop := agentGateway(t, state, store)
	c := gatewaytest.Connect(t, l, "")
	send(c, "r1", "first")
	finish(t, c, "r1")
	send(c, "r2", "[[child]]")
	child, err := strconv.Atoi(said(t, finish(t, c, "r2")))
	if err != nil {
		t.Fatal(err)
	}
	stop()
	for range 500 {
		if syscall.Kill(child, 0) != nil || zombie(child) {
			child = 0
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if child != 0 {
		t.Error("what the agent has started outlives the gateway")
	}

	l, _ = agentGateway(t, state, store)
	c = gatewaytest.Connect(t, l, "")
	send(c, "r3", "third")
	if got := said(t, finish(t, c, "r3")); got != "heard 3: third" {
		t.Errorf("after a restart: %q", got)
	}
	c.Call("sessions.reset", `{"key":"s"}`)
	send(c, "r4", "fourth")
	if got := said(t, finish(t, c, "r4")); got != "heard 1: fourth" {
		t.Errorf("after a reset: %q", got)
	}
}

// zombie reports whether a process has ended but for its number.
func zombie(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(data), ") ")
	return err == nil && strings.HasPrefix(state, "Z")
}
