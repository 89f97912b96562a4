package acptest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
)

// agent is the process.
type agent struct {
	store, journal, models, bad string
	images, closes              bool

	out sync.Mutex // held while a message is written

	mu       sync.Mutex // guards all below
	sessions map[string]*session
	answers  map[string]chan message
	calls    int
}

// session is one conversation, as the store keeps it.
type session struct {
	Cwd   string   `json:"cwd"`
	Asked []string `json:"asked"`

	cancel chan struct{}
}

func (a *agent) run() int {
	a.sessions, a.answers = map[string]*session{}, map[string]chan message{}
	a.note("start")
	switch a.bad {
	case "exit":
		fmt.Fprintln(os.Stderr, "no configuration found")
		return 3
	case "banner":
		fmt.Println("Welcome to the agent!")
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
	}
	r := bufio.NewReader(os.Stdin)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			if a.bad == "stubborn" {
				select {}
			}
			a.note("end " + err.Error())
			if err != io.EOF {
				return 1
			}
			return 0
		}
		var m message
		if err := json.Unmarshal(line, &m); err != nil {
			return 2
		}
		a.take(m)
	}
}

// note writes a line to the journal.
func (a *agent) note(line string) {
	if a.journal == "" {
		return
	}
	f, err := os.OpenFile(a.journal, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		os.Exit(4)
	}
	defer f.Close()
	fmt.Fprintf(f, "%d %s\n", os.Getpid(), line)
}

func (a *agent) take(m message) {
	if m.Method == "" {
		a.mu.Lock()
		c := a.answers[string(m.ID)]
		delete(a.answers, string(m.ID))
		a.mu.Unlock()
		if c != nil {
			c <- m
		}
		return
	}
	a.note(m.Method)
	var p struct {
		SessionID string  `json:"sessionId"`
		ModelID   string  `json:"modelId"`
		Cwd       string  `json:"cwd"`
		Prompt    []block `json:"prompt"`
	}
	_ = json.Unmarshal(m.Params, &p)
	switch m.Method {
	case "initialize":
		a.initialize(m)
	case "session/new":
		a.newSession(m, p.Cwd)
	case "session/load":
		a.load(m, p.SessionID)
	case "session/set_model":
		a.note("model " + p.ModelID)
		a.answer(m, object{}, nil)
	case "session/close":
		a.answer(m, object{}, nil)
	case "session/cancel":
		if s := a.session(p.SessionID); s != nil {
			select {
			case s.cancel <- struct{}{}:
			default:
			}
		}
	case "session/prompt":
		s := a.session(p.SessionID)
		if s == nil {
			a.answer(m, nil, &rpcError{-32602, "no such session"})
			return
		}
		go a.prompt(m, p.SessionID, s, p.Prompt)
	default:
		a.answer(m, nil, &rpcError{-32601, "Method not found"})
	}
}

func (a *agent) initialize(m message) {
	version := 1
	switch a.bad {
	case "silent":
		return
	case "version":
		version = 99
	case "refuse":
		a.answer(m, nil, &rpcError{-32603, "out of order"})
		return
	}
	can := object{"loadSession": a.store != "", "promptCapabilities": object{"image": a.images}}
	if a.closes {
		can["sessionCapabilities"] = object{"close": object{}}
	}
	a.answer(m, object{
		"protocolVersion": version, "agentCapabilities": can,
		"authMethods": []object{{"id": "key", "name": "Log in with a key"}},
	}, nil)
}

func (a *agent) newSession(m message, cwd string) {
	if a.bad == "login" {
		a.answer(m, nil, &rpcError{-32000, "Authentication required"})
		return
	}
	a.mu.Lock()
	id := fmt.Sprintf("s%d-%d", os.Getpid(), len(a.sessions))
	a.sessions[id] = &session{Cwd: cwd, cancel: make(chan struct{}, 1)}
	a.mu.Unlock()
	a.save()
	r := object{"sessionId": id}
	if ids := strings.Fields(a.models); len(ids) > 0 {
		var all []object
		for _, id := range ids {
			all = append(all, object{"modelId": id, "name": id})
		}
		r["models"] = object{"currentModelId": ids[0], "availableModels": all}
	}
	a.answer(m, r, nil)
}

// load opens a session of the store, and tells its history as the protocol has
// it.
func (a *agent) load(m message, id string) {
	all := map[string]*session{}
	data, err := os.ReadFile(a.store)
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	s := all[id]
	if err != nil || s == nil {
		a.answer(m, nil, &rpcError{-32002, "no such session is kept"})
		return
	}
	s.cancel = make(chan struct{}, 1)
	a.mu.Lock()
	a.sessions[id] = s
	a.mu.Unlock()
	for _, asked := range s.Asked {
		a.update(id, object{"sessionUpdate": "user_message_chunk", "content": object{"type": "text", "text": asked}})
		a.say(id, "HISTORY ")
	}
	a.answer(m, nil, nil)
}

func (a *agent) session(id string) *session {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sessions[id]
}

// save keeps the sessions.
func (a *agent) save() {
	if a.store == "" {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	all := map[string]*session{}
	if data, err := os.ReadFile(a.store); err == nil {
		_ = json.Unmarshal(data, &all)
	}
	for id, s := range a.sessions {
		all[id] = s
	}
	data, err := json.Marshal(all)
	if err == nil {
		err = os.WriteFile(a.store, data, 0o600)
	}
	if err != nil {
		os.Exit(5)
	}
}

// answer answers a request.
func (a *agent) answer(m message, result any, fault *rpcError) {
	if fault == nil && result == nil {
		result = json.RawMessage("null")
	}
	a.write(message{ID: m.ID, Result: result, Error: fault})
}

func (a *agent) write(m message) {
	m.JSONRPC = "2.0"
	line, err := json.Marshal(m)
	if err != nil {
		os.Exit(6)
	}
	a.out.Lock()
	defer a.out.Unlock()
	_, _ = os.Stdout.Write(append(line, '\n')) // nobody may listen any more
}

// call calls a method of the client and waits for the answer.
func (a *agent) call(method string, params any) message {
	raw, _ := json.Marshal(params)
	c := make(chan message, 1)
	a.mu.Lock()
	a.calls++
	id := fmt.Sprintf(`"a%d"`, a.calls)
	a.answers[id] = c
	a.mu.Unlock()
	a.write(message{ID: json.RawMessage(id), Method: method, Params: raw})
	return <-c
}

func (a *agent) update(id string, update object) {
	raw, _ := json.Marshal(object{"sessionId": id, "update": update})
	a.write(message{Method: "session/update", Params: raw})
}

func (a *agent) say(id, text string) {
	a.update(id, object{"sessionUpdate": "agent_message_chunk", "content": object{"type": "text", "text": text}})
}
