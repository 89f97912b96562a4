package realclients

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/coder/acp-go-sdk"
)

// TestBridge drives `openclaw acp` as an editor does: it starts the bridge,
// prompts, stops a prompt, and loads what was said.
func TestBridge(t *testing.T) {
	d := startScripted(t, "")
	o := d.ours()
	o.say("agent:main:named", "[[say from before]]")
	o.call("sessions.patch", map[string]any{"key": "agent:main:named", "label": "The one"}, nil)

	t.Run("session by key", func(t *testing.T) {
		t.Parallel()
		e := newEditor(t, d, "--session", "agent:main:editor")
		s := e.session()
		if stop := e.prompt(s, "[[say to the editor]]"); stop != acp.StopReasonEndTurn || e.text() != "to the editor" {
			t.Errorf("prompt ended with %s and said %q", stop, e.text())
		}
		got := o.texts("agent:main:editor")
		if len(got) != 2 || !strings.HasPrefix(got[0], "user: [Working directory: ") || !strings.Contains(got[0], "[[say to the editor]]") {
			t.Errorf("the session has %q", got)
		}

		e.forget()
		stopped := make(chan acp.StopReason)
		go func() { stopped <- e.prompt(s, "[[drip 2000 50]]") }()
		e.await("w1 w2 w3")
		if err := e.conn.Cancel(t.Context(), acp.CancelNotification{SessionId: s}); err != nil {
			t.Error(err)
		}
		if stop := <-stopped; stop != acp.StopReasonCancelled {
			t.Errorf("the stopped prompt ended with %s", stop)
		}
		if got := o.texts("agent:main:editor"); len(got) != 4 || !strings.HasPrefix(got[3], "assistant: w1 w2 w3") {
			t.Errorf("the session has %q", got)
		}
		if stop := e.prompt(s, "[[say again]]"); stop != acp.StopReasonEndTurn {
			t.Errorf("the prompt after it ended with %s", stop)
		}
	})
	t.Run("session by label", func(t *testing.T) {
		t.Parallel()
		e := newEditor(t, d, "--session-label", "The one")
		if stop := e.prompt(e.session(), "[[say labelled]]"); stop != acp.StopReasonEndTurn || e.text() != "labelled" {
			t.Errorf("prompt ended with %s and said %q", stop, e.text())
		}
		if got := o.texts("agent:main:named"); len(got) != 4 {
			t.Errorf("the session has %q", got)
		}
	})
	t.Run("session of its own", func(t *testing.T) {
		t.Parallel()
		e := newEditor(t, d)
		if stop := e.prompt(e.session(), "[[say by default]]"); stop != acp.StopReasonEndTurn || e.text() != "by default" {
			t.Errorf("prompt ended with %s and said %q", stop, e.text())
		}
	})
	t.Run("load a session", func(t *testing.T) {
		t.Parallel()
		o.say("agent:main:loaded", "[[say what was said]]")
		e := newEditor(t, d)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if _, err := e.conn.LoadSession(ctx, acp.LoadSessionRequest{SessionId: "agent:main:loaded", Cwd: e.dir, McpServers: []acp.McpServer{}}); err != nil {
			t.Fatal(err)
		}
		e.await("what was said")
	})
	t.Run("a session that must exist", func(t *testing.T) {
		t.Parallel()
		e := newEditor(t, d, "--session", "agent:main:nowhere", "--require-existing")
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := e.conn.NewSession(ctx, acp.NewSessionRequest{Cwd: e.dir, McpServers: []acp.McpServer{}})
		if err == nil || !strings.Contains(err.Error(), "agent:main:nowhere") {
			t.Errorf("a session that is not there: %v", err)
		}
	})
	t.Run("reset", func(t *testing.T) {
		t.Parallel()
		o.say("agent:main:worn", "[[say old]]")
		e := newEditor(t, d, "--session", "agent:main:worn", "--reset-session")
		e.prompt(e.session(), "[[say new]]")
		if got := o.texts("agent:main:worn"); len(got) != 2 || got[1] != "assistant: new" {
			t.Errorf("the session has %q", got)
		}
	})
}

// editor is a program that speaks the Agent Client Protocol to the bridge.
type editor struct {
	t    *testing.T
	conn *acp.ClientSideConnection
	dir  string

	mu      sync.Mutex
	said    strings.Builder
	changed chan struct{}
}

func newEditor(t *testing.T, d *daemon, args ...string) *editor {
	t.Helper()
	h := newHome(t)
	ctx, cancel := context.WithCancel(context.Background())
	cmd := h.openclaw(ctx, append([]string{"acp", "--url", d.url(), "--token", token}, args...)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	// A pipe of our own: that of StdoutPipe may not be read once Wait is called.
	out, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	log := &output{}
	cmd.Stdout, cmd.Stderr = theirs, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	e := &editor{t: t, dir: h.dir, changed: make(chan struct{})}
	e.conn = acp.NewClientSideConnection(e, in, out)
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		<-e.conn.Done()
		out.Close()
		if t.Failed() {
			t.Logf("the bridge said: %s", log)
		}
	})
	ctx, cancel2 := context.WithTimeout(t.Context(), patience)
	defer cancel2()
	if _, err := e.conn.Initialize(ctx, acp.InitializeRequest{ProtocolVersion: acp.ProtocolVersionNumber, ClientInfo: &acp.Implementation{Name: "editor", Version: "1"}}); err != nil {
		t.Fatalf("initialize: %v\n%s", err, log)
	}
	return e
}

// session begins one.
func (e *editor) session() acp.SessionId {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), patience)
	defer cancel()
	s, err := e.conn.NewSession(ctx, acp.NewSessionRequest{Cwd: e.dir, McpServers: []acp.McpServer{}})
	if err != nil {
		e.t.Fatalf("session/new: %v", err)
	}
	return s.SessionId
}

// prompt asks and waits for the end of the turn.
func (e *editor) prompt(s acp.SessionId, text string) acp.StopReason {
	ctx, cancel := context.WithTimeout(e.t.Context(), patience)
	defer cancel()
	answer, err := e.conn.Prompt(ctx, acp.PromptRequest{SessionId: s, Prompt: []acp.ContentBlock{acp.TextBlock(text)}})
	if err != nil {
		e.t.Errorf("prompt %q: %v", text, err)
	}
	return answer.StopReason
}

// SessionUpdate keeps what the agent says; of loaded sessions also what was
// asked.
func (e *editor) SessionUpdate(_ context.Context, n acp.SessionNotification) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if m := n.Update.AgentMessageChunk; m != nil && m.Content.Text != nil {
		e.said.WriteString(m.Content.Text.Text)
	}
	close(e.changed)
	e.changed = make(chan struct{})
	return nil
}

func (e *editor) text() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.said.String()
}

func (e *editor) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.said.Reset()
}

// await waits until the agent has said something.
func (e *editor) await(text string) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), patience)
	defer cancel()
	for {
		e.mu.Lock()
		said, changed := e.said.String(), e.changed
		e.mu.Unlock()
		if strings.Contains(said, text) {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			e.t.Fatalf("the agent did not say %q but %q", text, said)
		}
	}
}

// What the bridge never asks for.

var errNot = errors.New("this editor does not do that")

func (e *editor) RequestPermission(context.Context, acp.RequestPermissionRequest) (r acp.RequestPermissionResponse, err error) {
	return r, errNot
}
func (e *editor) ReadTextFile(context.Context, acp.ReadTextFileRequest) (r acp.ReadTextFileResponse, err error) {
	return r, errNot
}
func (e *editor) WriteTextFile(context.Context, acp.WriteTextFileRequest) (r acp.WriteTextFileResponse, err error) {
	return r, errNot
}
func (e *editor) CreateTerminal(context.Context, acp.CreateTerminalRequest) (r acp.CreateTerminalResponse, err error) {
	return r, errNot
}
func (e *editor) KillTerminal(context.Context, acp.KillTerminalRequest) (r acp.KillTerminalResponse, err error) {
	return r, errNot
}
func (e *editor) TerminalOutput(context.Context, acp.TerminalOutputRequest) (r acp.TerminalOutputResponse, err error) {
	return r, errNot
}
func (e *editor) ReleaseTerminal(context.Context, acp.ReleaseTerminalRequest) (r acp.ReleaseTerminalResponse, err error) {
	return r, errNot
}
func (e *editor) WaitForTerminalExit(context.Context, acp.WaitForTerminalExitRequest) (r acp.WaitForTerminalExitResponse, err error) {
	return r, errNot
}
