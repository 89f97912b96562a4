package acptest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

type block struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Data     string `json:"data"`
	MIMEType string `json:"mimeType"`
}

var directive = regexp.MustCompile(`\[\[(\w+) ?([^\]]*)\]\]`)

// reply is how a prompt is answered.
type reply struct {
	stop  string
	usage object
	fault *rpcError
}

// prompt answers one prompt.
func (a *agent) prompt(m message, id string, s *session, blocks []block) {
	for len(s.cancel) > 0 {
		<-s.cancel
	}
	var all []string
	for _, b := range blocks {
		text := b.Text
		if b.Type == "image" {
			text = "<" + b.MIMEType + " " + b.Data + ">"
		}
		all = append(all, text)
	}
	a.mu.Lock()
	s.Asked = append(s.Asked, strings.Join(all, " | "))
	n := len(s.Asked)
	a.mu.Unlock()
	a.save()
	r := reply{stop: "end_turn"}
	last := strings.Join(all, "")
	for _, b := range blocks {
		if b.Type == "text" {
			last = b.Text
		}
	}
	found := directive.FindAllStringSubmatch(last, -1)
	if found == nil {
		a.say(id, fmt.Sprintf("heard %d: %s", n, last))
	}
	for _, d := range found {
		a.do(id, s, d[1], d[2], &r)
		if r.fault != nil || r.stop != "end_turn" {
			break
		}
	}
	if r.fault != nil {
		a.answer(m, nil, r.fault)
		return
	}
	result := object{"stopReason": r.stop}
	if r.usage != nil {
		result["usage"] = r.usage
	}
	a.answer(m, result, nil)
}

// do follows one directive.
func (a *agent) do(id string, s *session, word, rest string, r *reply) {
	first, more, _ := strings.Cut(rest, " ")
	n, _ := strconv.Atoi(first)
	switch word {
	case "say":
		a.say(id, rest)
	case "think":
		a.update(id, object{"sessionUpdate": "agent_thought_chunk", "content": object{"type": "text", "text": rest}})
	case "tool":
		kind, title, _ := strings.Cut(more, " ")
		a.update(id, object{"sessionUpdate": "tool_call", "toolCallId": first, "title": title, "kind": kind, "status": "pending", "rawInput": object{"path": title}})
	case "more", "done", "failed":
		status := map[string]string{"more": "in_progress", "done": "completed", "failed": "failed"}[word]
		a.update(id, object{"sessionUpdate": "tool_call_update", "toolCallId": first, "status": status,
			"content": []object{{"type": "content", "content": object{"type": "text", "text": more}}}})
	case "permit":
		a.permit(id, first, more)
	case "recall":
		a.mu.Lock()
		text := strings.Join(s.Asked, " || ") + " in " + s.Cwd
		a.mu.Unlock()
		a.say(id, text)
	case "env":
		var names []string
		for _, v := range os.Environ() {
			name, _, _ := strings.Cut(v, "=")
			names = append(names, name)
		}
		slices.Sort(names)
		a.say(id, strings.Join(names, " "))
	case "call":
		answer := a.call(first, object{"sessionId": id, "path": "/etc/passwd"})
		text, _ := json.Marshal(answer.Error)
		a.say(id, string(text))
	case "stop":
		r.stop = rest
	case "refuse":
		r.fault = &rpcError{-32603, rest}
	case "usage":
		r.usage = object{"inputTokens": 7, "outputTokens": 3, "thoughtTokens": 2, "cachedReadTokens": 5, "totalTokens": 17}
	case "stderr":
		fmt.Fprintln(os.Stderr, rest)
	case "wait":
		<-s.cancel
		r.stop = "cancelled"
	case "child":
		a.child(id)
	case "exit":
		os.Exit(n)
	default:
		a.misbehave(id, word, n)
	}
}

// permit asks for permission, with all options but those that more leaves out.
func (a *agent) permit(id, call, command string) {
	answer := a.call("session/request_permission", object{
		"sessionId": id,
		"toolCall":  object{"toolCallId": call, "title": "Run a command", "kind": "execute", "status": "pending", "rawInput": object{"command": command}},
		"options": []object{
			{"optionId": "o1", "name": "Always", "kind": "allow_always"}, {"optionId": "o2", "name": "Once", "kind": "allow_once"},
			{"optionId": "o3", "name": "No", "kind": "reject_once"}, {"optionId": "o4", "name": "Never", "kind": "reject_always"},
		},
	})
	text, _ := json.Marshal(answer.Result)
	var r struct {
		Outcome struct{ Outcome, OptionID string } `json:"outcome"`
	}
	_ = json.Unmarshal(text, &r)
	a.note("permission " + r.Outcome.Outcome + " " + r.Outcome.OptionID)
	a.say(id, strings.TrimSpace(r.Outcome.Outcome+" "+r.Outcome.OptionID)+". ")
}

// child starts a process that would stay when this one ends.
func (a *agent) child(id string) {
	cmd := exec.Command("sleep", "1000")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr // it holds the pipes open
	if err := cmd.Start(); err != nil {
		a.say(id, err.Error())
		return
	}
	a.say(id, fmt.Sprint(cmd.Process.Pid))
}

// misbehave does what no agent may.
func (a *agent) misbehave(id, word string, n int) {
	switch word {
	case "deaf":
		a.say(id, "deaf")
		select {}
	case "frozen":
		a.say(id, "frozen")
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		select {} // it takes a moment
	case "garbage":
		for i := range n {
			fmt.Printf("line %d of nothing {\n", i)
		}
	case "long":
		a.out.Lock()
		for {
			if _, err := os.Stdout.WriteString(strings.Repeat("x", 1<<16)); err != nil {
				os.Exit(7)
			}
		}
	case "flood":
		for range n {
			a.say(id, "flood ")
		}
	case "tools":
		for i := range n {
			a.update(id, object{"sessionUpdate": "tool_call", "toolCallId": fmt.Sprint("t", i), "title": "T"})
		}
	case "requests":
		for i := range n {
			raw, _ := json.Marshal(object{"sessionId": id, "toolCall": object{"toolCallId": "x"}, "options": []object{}})
			a.write(message{ID: json.RawMessage(strconv.Itoa(1000 + i)), Method: "session/request_permission", Params: raw})
		}
	}
}
