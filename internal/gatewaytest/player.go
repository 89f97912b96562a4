package gatewaytest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// token is the shared secret of the gateways that scenarios run against.
const token = "secret-token"

// Fault is one place where the gateway did not do what was recorded.
type Fault struct {
	Step  int
	Label string // of the step: its method, event, path …
	Path  string // inside the answer; "(whole)" for all of it, "(error)" when the step failed
	Text  string
}

func (f Fault) String() string {
	path := f.Path + ": "
	switch f.Path {
	case pathError:
		path = ""
	case pathWhole:
		path = ": "
	}
	return fmt.Sprintf("step %d %s: %s%s", f.Step, f.Label, path, f.Text)
}

const (
	pathError = "(error)"
	pathWhole = "(whole)"
)

// Play plays a scenario file against a gateway with a fresh state directory
// and returns the faults. An error means that the file could not be played at
// all.
func Play(t testing.TB, file string, start Starter) ([]Fault, error) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return PlayText(t, raw, start)
}

// PlayText is Play for the text of a scenario file.
func PlayText(t testing.TB, raw []byte, start Starter) ([]Fault, error) {
	t.Helper()
	sc, err := parseJSON(raw)
	if err != nil {
		return nil, err
	}
	steps, ok := member(sc, "steps").([]any)
	if !ok {
		return nil, errors.New("a scenario needs steps")
	}
	p, err := newPlayer(t, start)
	if err != nil {
		return nil, err
	}
	defer p.end()
	if err := p.prepare(sc); err != nil {
		return nil, err
	}
	if err := p.start(); err != nil {
		return nil, err
	}
	for i, raw := range steps {
		s := &step{index: i, raw: raw.(*object), object: p.substitute(raw).(*object)}
		if err := p.play(s); err != nil {
			p.faults = append(p.faults, Fault{i, s.errorLabel(), pathError, err.Error()})
		}
	}
	return p.faults, nil
}

// player plays one scenario.
type player struct {
	ctx     context.Context
	starter Starter
	root    string // temporary directory; the state directory is inside
	state   string
	port    int
	model   *Model
	config  any
	log     *os.File

	stop    func(kill bool) // of the running gateway; nil when none runs
	conns   map[string]*wire
	all     []*wire // also those that a restart has left behind
	devices map[string]*Device
	vars    map[string]any
	taken   map[*frame]bool
	mask    *masker
	pairing *pairing
	faults  []Fault
}

func newPlayer(t testing.TB, start Starter) (*player, error) {
	root, err := os.MkdirTemp("", "scn-")
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		if os.Getenv("KEEP") != "" {
			t.Logf("kept %s", root)
			return
		}
		os.RemoveAll(root)
	})
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	state := filepath.Join(root, "state")
	log, err := os.Create(state + ".log")
	if err != nil {
		return nil, err
	}
	m := StartModel(t)
	return &player{
		ctx: t.Context(), starter: start, root: root, state: state, port: port, model: m, log: log,
		conns: map[string]*wire{}, devices: map[string]*Device{}, taken: map[*frame]bool{},
		vars: map[string]any{"STATE": state, "NOW": float64(time.Now().UnixMilli())},
		mask: newMasker(state, host, port, m.Port()), pairing: newPairing(),
	}, nil
}

// end stops everything that the scenario started.
func (p *player) end() {
	for _, w := range p.all {
		w.terminate()
	}
	if p.stop != nil {
		p.stop(false)
	}
	p.log.Close()
}

// prepare makes the configuration and writes the files of a scenario.
func (p *player) prepare(sc any) error {
	base, err := parseJSON([]byte(baseConfig))
	if err != nil {
		return err
	}
	p.vars["PORT"], p.vars["BASE"] = float64(p.port), p.model.BaseURL()
	p.vars["WORKSPACE"] = filepath.Join(p.state, "workspace")
	base = p.substitute(base)
	for _, name := range []string{"PORT", "BASE", "WORKSPACE"} {
		delete(p.vars, name)
	}
	p.config = merge(base, member(sc, "config"))
	files, ok := member(sc, "files").(*object)
	if !ok {
		return nil
	}
	for _, rel := range files.keys {
		if err := p.put(rel, p.substitute(files.vals[rel])); err != nil {
			return err
		}
	}
	return nil
}

const baseConfig = `{
	"gateway": {"mode": "local", "port": "${PORT}", "bind": "loopback", "auth": {"mode": "token", "token": "` + token + `"}, "reload": {"mode": "off"}},
	"models": {"providers": {"fake": {"baseUrl": "${BASE}", "apiKey": "sk-fake", "api": "openai-completions", "models": [
		{"id": "m1", "name": "M1", "reasoning": false, "input": ["text"], "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}, "contextWindow": 32000, "maxTokens": 4096},
		{"id": "m2", "name": "M2", "reasoning": false, "input": ["text"], "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}, "contextWindow": 32000, "maxTokens": 4096}]}}},
	"agents": {"defaults": {"model": {"primary": "fake/m1"}, "workspace": "${WORKSPACE}", "skipBootstrap": true}},
	"skills": {"allowBundled": ["none"]},
	"parley": {"deviceless": "never", "protocols": [3], "throttleLoopback": false}}`

// put writes a file of the state directory: a string as it is, anything else
// as indented JSON.
func (p *player) put(rel string, v any) error {
	path := filepath.Join(p.state, rel)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	content, ok := v.(string)
	if !ok {
		content = indented(v)
	}
	return os.WriteFile(path, wellFormed(content), 0o666)
}

// start starts the gateway with the scenario's configuration.
func (p *player) start() error {
	if err := p.put("openclaw.json", p.substitute(p.config)); err != nil {
		return err
	}
	stop, err := p.starter(p.ctx, Launch{
		StateDir: p.state, ConfigPath: filepath.Join(p.state, "openclaw.json"), Port: p.port, Home: p.root, Log: p.log,
	})
	if err != nil {
		log, _ := os.ReadFile(p.log.Name())
		return fmt.Errorf("start the gateway: %w\n%s", err, log)
	}
	p.stop = stop
	return nil
}

func (p *player) halt(kill bool) {
	if p.stop != nil {
		p.stop(kill)
		p.stop = nil
	}
}

// conn is the connection of a step, opened on first use with every scope.
func (p *player) conn(s *step) (*wire, error) {
	name := s.text("conn", "a")
	if w := p.conns[name]; w != nil {
		return w, nil
	}
	given := newObject()
	given.set("token", token)
	return p.open(name, given, NewDevice())
}

func (p *player) open(name string, given *object, device *Device) (*wire, error) {
	o, err := newOpenOptions(given, device)
	if err != nil {
		return nil, err
	}
	w, err := openWire(p.ctx, loopback(p.port), o)
	if err != nil {
		return nil, err
	}
	p.conns[name] = w
	p.all = append(p.all, w)
	return w, nil
}

// pause waits for d or for the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
