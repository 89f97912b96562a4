package gateway_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/gatewaytest"
)

// The example agent of the protocol's Go library is no agent of ours: it shows
// that we speak the protocol that others do. Its turn takes some seconds, reads a
// file, asks for permission to change another and says what came of it. Three
// sessions are answered by one process.
func TestExampleAgentOfTheLibrary(t *testing.T) {
	program := filepath.Join(t.TempDir(), "agent")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "github.com/coder/acp-go-sdk/example/agent").CombinedOutput(); err != nil {
		t.Fatalf("build the example agent: %v\n%s", err, out)
	}
	l, _ := programGateway(t, t.TempDir(), fmt.Sprintf(`command: %q, permissions: "ask"`, program))
	c := gatewaytest.Connect(t, l, "")
	c.Call("sessions.subscribe", "")
	for _, key := range []string{"allowed", "denied", "aborted"} {
		c.Call("sessions.create", `{"key":"`+key+`","message":"Improve the project."}`)
	}
	runs := map[string]string{}
	for len(runs) < 3 {
		e := c.Event("chat")
		runs[strings.TrimPrefix(textAt(t, e, "payload.sessionKey"), "agent:main:")] = textAt(t, e, "payload.runId")
	}
	c.Call("chat.abort", `{"sessionKey":"aborted"}`)
	for range 2 {
		e := c.Event("exec.approval.requested")
		if got := textAt(t, e, "payload.request.command"); got != "Modifying critical configuration file" {
			t.Errorf("it asks for %q", got)
		}
		decision := map[string]string{"agent:main:allowed": "allow-once", "agent:main:denied": "deny"}[textAt(t, e, "payload.request.sessionKey")]
		c.Call("exec.approval.resolve", `{"id":"`+textAt(t, e, "payload.id")+`","decision":"`+decision+`"}`)
	}
	for _, key := range []string{"allowed", "denied"} {
		c.Call("agent.wait", `{"runId":"`+runs[key]+`","timeoutMs":30000}`)
	}
	const (
		begins = "ACP Go Example Agent — demo only (no AI model).I'll help you with that. Let me start by reading some files to understand the current situation."
		goesOn = begins + " Now I understand the project structure. I need to make some changes to improve it."
		reads  = `session.tool {"phase":"start","name":"read","title":"Reading project files","toolCallId":"call_1","args":{"path":"/project/README.md"}}`
		read   = `session.tool {"phase":"result","name":"read","title":"Reading project files","toolCallId":"call_1","isError":false}`
		edits  = `session.tool {"phase":"start","name":"edit","title":"Modifying critical configuration file","toolCallId":"call_2","args":{"content":"{\"database\": {\"host\": \"new-host\"}}","path":"/project/config.json"}}`
		edited = `session.tool {"phase":"result","name":"edit","title":"Modifying critical configuration file","toolCallId":"call_2","isError":false}`
		did    = goesOn + " Perfect! I've successfully updated the configuration. The changes have been applied."
		didNot = goesOn + " I understand you prefer not to make that change. I'll skip the configuration update."
	)
	delta := func(text string) string { return fmt.Sprintf("chat delta %q", text) }
	final := func(text string) string { return fmt.Sprintf("chat final %q", text) }
	common := []string{delta(begins), reads, read, delta(goesOn), edits}
	follow := func(key string) []string {
		return slices.DeleteFunc(story(t, c, runs[key]), func(line string) bool { return strings.HasPrefix(line, "agent ") })
	}
	wantStory(t, "of the allowed one a follower", follow("allowed"), append(slices.Clone(common), edited, delta(did), final(did)))
	wantStory(t, "of the denied one a follower", follow("denied"), append(slices.Clone(common), delta(didNot), final(didNot)))
	aborted := follow("aborted")
	if last := aborted[len(aborted)-1]; !strings.HasPrefix(last, `chat aborted "ACP Go Example Agent`) {
		t.Errorf("of the aborted one a follower heard %q", aborted)
	}
	history := string(c.Call("chat.history", `{"sessionKey":"allowed"}`))
	if !strings.Contains(history, "Perfect! I've successfully updated the configuration.") || strings.Contains(history, "call_1") {
		t.Errorf("history: %s", history)
	}
}
