package gatewaytest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Scripts runs wire scripts: dialogues between clients and a gateway, in fake
// time. A script is a text file of lines:
//
//	// comment; the first line says what breaks for a client if this fails
//	--> {"type":"req",…}      client a sends this text; "b -->" for client b
//	<-- {"type":"res",…}      the next frame that a gets; "b <--" for b
//	# sleep 30s               let time pass
//	# open b {"scopes":[…]}   connect as b, with options of Connect
//	# dial b {…}              the same without handshake: the challenge comes first
//	# close b                 b closes
//	# closed b 1008 reason    the gateway has closed b
//	# quiet b                 b has nothing unread
//	# ignore tick presence    these events are not frames that a script reads
//	# config {…}              laid over the configuration; before the first frame
//	# file PATH TEXT          a file of the state directory; before the first frame
//
// A client that was not opened does a plain handshake when it is first used.
// What is expected is a pattern: … for anything, "<uuid>" and the like for what
// differs from run to run, "${name}" to remember a value, also for sending.
// At the end no client may have unread frames.
type Scripts struct {
	// Serve starts a gateway on the listener, with a configuration file and a
	// state directory, and returns what stops it and waits for it.
	Serve func(t testing.TB, l *Listener, configPath, stateDir string) (stop func())
	// Update rewrites expected lines that do not match.
	Update bool
}

// Run runs every script that matches the pattern, as a subtest in a bubble.
func (s Scripts) Run(t *testing.T, glob string) {
	t.Helper()
	files, err := filepath.Glob(glob)
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts match %s (%v)", glob, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			out, err := s.bubble(t, string(text))
			if err != nil {
				t.Errorf("%s:%v", file, err)
			}
			s.rewrite(t, file, string(text), out)
		})
	}
}

// RunPage runs the scripts in a Markdown page, its code blocks of the language
// "wire", each as a subtest in a bubble, and returns how many there are.
func (s Scripts) RunPage(t *testing.T, file string) int {
	t.Helper()
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "\n```wire\n", "\n```"
	parts := strings.Split(string(page), begin)
	line := strings.Count(parts[0], "\n") + 2 // that of the opening fence
	for i, part := range parts[1:] {
		text, after, ok := strings.Cut(part, end)
		if !ok {
			t.Fatalf("%s:%d: the block has no end", file, line)
		}
		t.Run(strconv.Itoa(i+1), func(t *testing.T) {
			out, err := s.bubble(t, text)
			if err != nil {
				t.Errorf("%s:%d + %v", file, line, err)
			}
			parts[i+1] = out + end + after
		})
		line += strings.Count(part, "\n") + 2
	}
	s.rewrite(t, file, string(page), strings.Join(parts, begin))
	return len(parts) - 1
}

// bubble plays a script in a bubble of its own.
func (s Scripts) bubble(t *testing.T, text string) (out string, err error) {
	state := filepath.Join(t.TempDir(), "state")
	synctest.Test(t, func(t *testing.T) { out, err = s.play(t, state, text) })
	return out, err
}

func (s Scripts) rewrite(t *testing.T, file, text, out string) {
	if !s.Update || out == text {
		return
	}
	if err := os.WriteFile(file, []byte(out), 0o666); err != nil {
		t.Error(err)
	}
}

// Play runs one script, which must be called in a bubble, and returns it with
// the expected lines as they came. The error begins with the line's number.
func (s Scripts) play(t testing.TB, state, text string) (string, error) {
	r := &scriptRun{Scripts: s, t: t, state: state, clients: map[string]*scriptClient{}, vars: map[string]any{}}
	defer r.end()
	lines := strings.Split(text, "\n")
	if !strings.HasPrefix(lines[0], "// ") {
		return text, errors.New("1: the first line must be a comment that says what breaks for a client if this fails")
	}
	for i, line := range lines {
		out, err := r.line(line)
		if err != nil && !(s.Update && out != line) {
			return strings.Join(lines, "\n"), fmt.Errorf("%d: %w", i+1, err)
		}
		lines[i] = out
	}
	for name := range r.clients {
		if err := r.quiet(name); err != nil {
			return strings.Join(lines, "\n"), fmt.Errorf("%d: at the end: %w", len(lines), err)
		}
	}
	return strings.Join(lines, "\n"), nil
}

// scriptRun is one script being run.
type scriptRun struct {
	Scripts
	t       testing.TB
	state   string
	config  any
	stop    func()
	l       *Listener
	clients map[string]*scriptClient
	vars    map[string]any
	ignored []string
}

// scriptClient is a client of a script.
type scriptClient struct {
	*wire
	read int // frames read so far
}

const scriptConfig = `{"gateway": {"auth": {"mode": "token", "token": "` + token + `"}, "reload": {"mode": "off"}}, "parley": {"deviceless": "never"}}`

// start starts the gateway, once.
func (r *scriptRun) start() error {
	if r.stop != nil {
		return nil
	}
	base, err := parseJSON([]byte(scriptConfig))
	if err != nil {
		return err
	}
	if r.config != nil {
		base = merge(base, r.config)
	}
	if err := r.write("openclaw.json", indented(base)); err != nil {
		return err
	}
	r.l = NewListener(r.t)
	r.stop = r.Serve(r.t, r.l, filepath.Join(r.state, "openclaw.json"), r.state)
	return nil
}

func (r *scriptRun) write(rel, content string) error {
	path := filepath.Join(r.state, rel)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o600)
}

func (r *scriptRun) end() {
	for _, c := range r.clients {
		c.terminate()
	}
	if r.stop != nil {
		r.stop()
	}
}

// line runs one line and returns it, an expected frame as it came.
func (r *scriptRun) line(line string) (string, error) {
	trimmed := strings.TrimSpace(line)
	if trimmed == "" || strings.HasPrefix(trimmed, "//") {
		return line, nil
	}
	if directive, ok := strings.CutPrefix(trimmed, "# "); ok {
		return line, r.directive(directive)
	}
	for _, arrow := range []string{"-->", "<--"} {
		name, text, ok := strings.Cut(trimmed, arrow)
		name = strings.TrimSpace(name)
		if !ok || strings.ContainsAny(name, " {\"") {
			continue
		}
		if name == "" {
			name = "a"
		}
		c, err := r.client(name)
		if err != nil {
			return line, err
		}
		text = strings.TrimSpace(text)
		if arrow == "-->" {
			return line, r.send(c, text)
		}
		return r.expect(c, line, text)
	}
	return line, fmt.Errorf("not a line of a script: %q", line)
}

func (r *scriptRun) directive(d string) error {
	word, rest, _ := strings.Cut(d, " ")
	rest = strings.TrimSpace(rest)
	name, args, _ := strings.Cut(rest, " ")
	switch word {
	case "sleep":
		if err := r.start(); err != nil {
			return err
		}
		d, err := time.ParseDuration(rest)
		time.Sleep(d)
		synctest.Wait()
		return err
	case "open", "dial":
		return r.open(name, args, word == "open")
	case "close":
		c, err := r.client(name)
		if err == nil {
			c.close()
		}
		return err
	case "closed":
		return r.closed(name, args)
	case "quiet":
		return r.quiet(name)
	case "ignore":
		r.ignored = append(r.ignored, strings.Fields(rest)...)
		return nil
	case "config", "file":
		return r.prepare(word, rest)
	}
	return fmt.Errorf("no directive is named %q", word)
}

// prepare takes the directives that must come before the gateway starts.
func (r *scriptRun) prepare(word, rest string) (err error) {
	if r.stop != nil {
		return fmt.Errorf("# %s must stand before the first frame", word)
	}
	if word == "config" {
		r.config, err = parseJSON([]byte(rest))
		return err
	}
	path, content, _ := strings.Cut(rest, " ")
	return r.write(path, content)
}

func (r *scriptRun) open(name, options string, handshake bool) error {
	if err := r.start(); err != nil {
		return err
	}
	if options == "" {
		options = "{}"
	}
	v, err := parseJSON([]byte(options))
	if err != nil {
		return err
	}
	o, ok := v.(*object)
	if !ok {
		return errors.New("options must be an object")
	}
	if !handshake {
		o.set("connect", false)
	}
	w, err := connectTo(context.WithoutCancel(r.t.Context()), r.l, compact(o))
	if err != nil {
		return err
	}
	c := &scriptClient{wire: w}
	r.clients[name] = c
	if !handshake {
		return nil
	}
	c.read = len(w.all())
	if !truthy(member(w.answer, "ok")) {
		return fmt.Errorf("connect was answered %s", compact(w.answer))
	}
	return nil
}

func (r *scriptRun) client(name string) (*scriptClient, error) {
	if r.clients[name] == nil {
		if err := r.open(name, "", true); err != nil {
			return nil, err
		}
	}
	return r.clients[name], nil
}

func (r *scriptRun) send(c *scriptClient, text string) error {
	for name, v := range r.vars {
		text = strings.ReplaceAll(text, `"${`+name+`}"`, compact(v))
	}
	c.sendText(text, text)
	return nil
}

// next is the next frame that a script reads, waiting up to limit.
func (r *scriptRun) next(c *scriptClient, limit time.Duration) *frame {
	var hit *frame
	c.wait(context.Background(), limit, func(fs []*frame) *frame {
		for ; c.read < len(fs) && hit == nil; c.read++ {
			f := fs[c.read]
			name, _ := member(f.value, "event").(string)
			if !f.out && !(f.event() && slices.Contains(r.ignored, name)) {
				hit = f
			}
		}
		return hit
	})
	return hit
}

func (r *scriptRun) expect(c *scriptClient, line, text string) (string, error) {
	p, err := newPattern(text, r.vars)
	if err != nil {
		return line, err
	}
	f := r.next(c, 5*time.Second)
	if f == nil {
		return line, errors.New("no frame came within 5 s")
	}
	if wrong := p.match(f.value); wrong != nil {
		update := strings.TrimSuffix(line, text) + compact(p.asPattern(f.value))
		return update, fmt.Errorf("got %s\n\t%s", f.raw, strings.Join(wrong, "\n\t"))
	}
	return line, nil
}

func (r *scriptRun) quiet(name string) error {
	c, err := r.client(name)
	if err != nil {
		return err
	}
	synctest.Wait()
	if f := r.next(c, 0); f != nil {
		return fmt.Errorf("%s has an unread frame: %s", name, f.raw)
	}
	return nil
}

func (r *scriptRun) closed(name, want string) error {
	c, err := r.client(name)
	if err != nil {
		return err
	}
	select {
	case <-c.ended:
	case <-time.After(30 * time.Second):
		return errors.New("the connection is still open")
	}
	if got := strings.TrimSpace(fmt.Sprintf("%d %s", c.end.code, c.end.reason)); got != want {
		return fmt.Errorf("closed with %q, want %q", got, want)
	}
	return nil
}
