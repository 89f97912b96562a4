package runs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/model"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

const testKey = "agent:main:t"

// bench is an engine on a state directory of its own, with a model that
// follows the directives of model.Echo, panics at "[[panic]]", and fails twice
// as "[[think]]" asks.
type bench struct {
	*Engine
	t      *testing.T
	state  string
	stores *sessions.Stores
	lib    *transcript.Library
	heard  *diary
	logged *synced
	dying  bool // the disk may be dead when it is stopped
	// summary is the message that the model answers when it is to sum up a
	// conversation; "" for a good summary.
	summary string

	mu    sync.Mutex // guards asked
	asked []int      // how many messages each request had
}

// newBench starts an engine on the state directory, or a new one for "".
func newBench(t *testing.T, state, settings string) *bench {
	t.Helper()
	b := newBenchOn(t, state, settings, nil)
	if err := b.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// newBenchOn is newBench with journals on fs, and without Recover.
func newBenchOn(t *testing.T, state, settings string, fs *disk.FS) *bench {
	t.Helper()
	if state == "" {
		state = t.TempDir()
	}
	if settings == "" {
		settings = "{}"
	}
	cfg, _, err := config.Parse(settings, config.Options{StateDir: state, HomeDir: state, WorkDir: state})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, state: state, heard: &diary{}, logged: &synced{}}
	log := slog.New(slog.NewTextHandler(io.MultiWriter(t.Output(), b.logged), nil))
	b.stores, err = sessions.OpenStores(sessions.Options{Config: cfg, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	b.lib = transcript.New(transcript.Options{StateDir: state, Home: state, Log: log})
	b.Engine = New(Options{
		Config: cfg, Stores: b.stores, Transcripts: b.lib, Observer: b.heard, Log: log, Disk: fs,
		Model: func(ref config.ModelRef) (model.Model, error) {
			if ref.Provider == "missing" {
				return nil, model.NewFault("Unknown model: " + ref.String())
			}
			return scripted{ref, b}, nil
		},
	})
	t.Cleanup(func() { b.stop() })
	return b
}

// stop ends the engine and its stores, as a clean shutdown does.
func (b *bench) stop() {
	if err := b.Engine.Close(context.Background()); err != nil && !b.dying {
		b.t.Errorf("close the engine: %v", err)
	}
	if err := b.stores.Close(); err != nil {
		b.t.Errorf("close the stores: %v", err)
	}
}

// crash is the state directory as a kill at this moment would leave it.
func (b *bench) crash() string {
	b.t.Helper()
	return b.crashInto(b.t.TempDir())
}

func (b *bench) crashInto(copied string) string {
	b.t.Helper()
	if err := os.CopyFS(copied, os.DirFS(b.state)); err != nil {
		b.t.Fatal(err)
	}
	// The process that has these locks is dead then.
	locks, err := filepath.Glob(filepath.Join(copied, "agents", "*", "sessions", "*.jsonl.lock"))
	for _, path := range locks {
		err = errors.Join(err, os.Remove(path))
	}
	if err != nil {
		b.t.Fatal(err)
	}
	// Entries name their transcript by its absolute path.
	path := filepath.Join(copied, "agents", "main", "sessions", "sessions.json")
	if data, err := os.ReadFile(path); err == nil {
		data = []byte(strings.ReplaceAll(string(data), b.state, copied))
		if err := os.WriteFile(path, data, 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
	return copied
}

// synced is a buffer for a log.
type synced struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *synced) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *synced) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// scripted is model.Echo with more directives, and faults by the model's name.
type scripted struct {
	ref config.ModelRef
	b   *bench
}

func (s scripted) Stream(ctx context.Context, t model.Turn) iter.Seq2[model.Delta, error] {
	last := t.Messages[len(t.Messages)-1].Text
	s.b.mu.Lock()
	s.b.asked = append(s.b.asked, len(t.Messages))
	s.b.mu.Unlock()
	switch {
	case s.ref.Model == "small" && len(t.Messages) > 3 || strings.Contains(last, "[[too long]]"):
		return faulty("", model.NewFault("400 prompt is too long"))
	case s.ref.Model == "fails":
		return faulty("", model.NewFault(s.ref.String()+" failed"))
	case s.ref.Model == "local":
		return faulty("", errors.New("the disk is gone"))
	case s.ref.Model == "cuts":
		return faulty("half of it", model.NewFault(s.ref.String()+" cut off"))
	case s.ref.Model == "acts":
		return func(yield func(model.Delta, error) bool) {
			if yield(model.Delta{Tool: &model.ToolStep{Phase: model.ToolStart, CallID: "c"}}, nil) {
				yield(model.Delta{}, model.NewFault(s.ref.String()+" failed"))
			}
		}
	case last == summaryOrder && s.b.summary == "":
		return pieces([]string{"They ", "talked."}, 0)
	case last == summaryOrder:
		t.Messages = []model.Message{{Role: model.User, Text: s.b.summary}}
		return scripted{s.ref, s.b}.Stream(ctx, t)
	case strings.Contains(last, "[[panic]]"):
		panic("the model lost its mind")
	case strings.Contains(last, "[[pieces "):
		_, list, _ := strings.Cut(last, "[[pieces ")
		return pieces(strings.Split(strings.TrimSuffix(list, "]]"), "|"), 100*time.Millisecond)
	case strings.Contains(last, "[[every "):
		_, list, _ := strings.Cut(last, "[[every ")
		texts := strings.Fields(strings.TrimSuffix(list, "]]"))
		gap, _ := time.ParseDuration(texts[0])
		return pieces(texts[1:], gap)
	case strings.Contains(last, "[[tool]]"):
		return useTool
	}
	return model.Echo{}.Stream(ctx, t)
}

// faulty is an answer that ends in a fault.
func faulty(said string, fault error) iter.Seq2[model.Delta, error] {
	return func(yield func(model.Delta, error) bool) {
		if said == "" || yield(model.Delta{Text: said}, nil) {
			yield(model.Delta{}, fault)
		}
	}
}

// pieces is an answer in these pieces, with a gap of fake time behind each.
func pieces(texts []string, gap time.Duration) iter.Seq2[model.Delta, error] {
	return func(yield func(model.Delta, error) bool) {
		for _, text := range texts {
			if !yield(model.Delta{Text: text}, nil) {
				return
			}
			time.Sleep(gap)
		}
		yield(model.Delta{Stop: model.Stop}, nil)
	}
}

// useTool is an answer with a tool in it. It hangs once the tool has begun until
// 300 ms are over.
func useTool(yield func(model.Delta, error) bool) {
	for _, d := range []model.Delta{
		{Text: "I will "}, {Text: "look. "}, {Tool: &model.ToolStep{Phase: model.ToolStart, CallID: "c"}}, {Tool: &model.ToolStep{Phase: model.ToolResult, CallID: "c"}},
		{Text: "Done."}, {Stop: model.Stop},
	} {
		if !yield(d, nil) {
			return
		}
		if d.Tool != nil {
			time.Sleep(100 * time.Millisecond) // in a bubble
		}
	}
}

// diary is an Observer that writes down what it hears.
type diary struct {
	mu    sync.Mutex
	lines []string
	each  func(line string) // called with every line, may be nil
}

func (d *diary) add(format string, args ...any) {
	d.mu.Lock()
	line := fmt.Sprintf(format, args...)
	d.lines = append(d.lines, line)
	each := d.each
	d.mu.Unlock()
	if each != nil {
		each(line)
	}
}

// take is what was heard since the last take.
func (d *diary) take() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := d.lines
	d.lines = nil
	return out
}

// of is what was heard of one run, so far.
func (d *diary) of(run string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for _, l := range d.lines {
		if strings.Contains(l, " "+run+" ") {
			out = append(out, l)
		}
	}
	return out
}

func (d *diary) Appended(key string, a transcript.Appended) {
	o, _ := rawjson.Parse(a.Message)
	d.add("appended %s %d %s %q", o.Text("role"), a.Seq, o.Text("stopReason"), texts(o.Get("content"), ""))
}

func (d *diary) Started(s Start) { d.add("started %s #%d", s.RunID, s.Seq) }

func (d *diary) Said(p Piece) {
	chat := ""
	if p.Chat != nil {
		chat = " chat"
	}
	d.add("said %s #%d %q+%q%s", p.RunID, p.Seq, p.Text, p.Added, chat)
}

func (d *diary) FellBack(f Fallback) {
	d.add("fell back %s #%d %s→%s before=%q reason=%q attempts=%d", f.RunID, f.Seq, f.Chosen, f.Active, f.Before, f.Reason, len(f.Attempts))
}

func (d *diary) Compacting(s Summing) {
	d.add("compacting %s #%d ended=%t done=%t", s.RunID, s.Seq, s.Ended, s.Done)
}

func (d *diary) Used(u ToolUse) {
	chat := ""
	if u.Chat != nil {
		chat = fmt.Sprintf(" chat %q+%q", u.Text, u.Chat.Added)
	}
	d.add("used %s #%d %s %s%s", u.RunID, u.Seq, u.Step.Phase, u.Step.CallID, chat)
}

func (d *diary) Aborted(a Abortion) {
	d.add("aborted %s #%d %s %q", a.RunID, a.Seq, a.Reason, a.Text)
}

func (d *diary) Finished(e End) {
	behind := ""
	if e.Chat != nil {
		behind = " behind"
	}
	d.add("finished %s #%d %s %q %q%s", e.RunID, e.Seq, e.Status, e.Text, e.Error, behind)
}

// bubble runs a test in fake time.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// send starts a turn and lets it go.
func (b *bench) send(key, run, message string) Ticket {
	b.t.Helper()
	return b.sendAs(Owner{}, key, run, message)
}

func (b *bench) sendAs(who Owner, key, run, message string) Ticket {
	b.t.Helper()
	ticket, err := b.Start(Turn{Kind: Chat, Key: key, RunID: run, Message: message, Owner: who})
	if err != nil {
		b.t.Fatalf("start %s: %v", run, err)
	}
	ticket.Begin()
	return ticket
}

// ended waits for the end of a run.
func (b *bench) ended(run string) Outcome {
	b.t.Helper()
	o, err := b.Wait(b.t.Context(), run)
	if err != nil {
		b.t.Fatalf("wait for %s: %v", run, err)
	}
	return o
}

// entry is the stored entry of a session.
func (b *bench) entry(key string) sessions.Entry {
	b.t.Helper()
	f, ok, err := b.stores.Lookup(key)
	if err != nil || !ok {
		b.t.Fatalf("session %s: found %v, error %v", key, ok, err)
	}
	return f.Entry
}

// touch changes a session, as a patch at that time does.
func (b *bench) touch(key string, at int64) {
	b.t.Helper()
	b.change(key, func(o *rawjson.Object) { o.Put("updatedAt", at) })
}

// change changes a session's entry, which is made when it is missing.
func (b *bench) change(key string, change func(*rawjson.Object)) {
	b.t.Helper()
	st, err := b.stores.Store(key)
	if err == nil {
		err = st.Update(b.t.Context(), func(tx *sessions.Tx) error {
			e, _ := tx.Get(key)
			tx.Put(key, e.With(change))
			return nil
		})
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// messages are the messages of a session as "role stopReason text".
func (b *bench) messages(key string) (out []string) {
	b.t.Helper()
	for _, o := range b.raw(key) {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s", o.Text("role"), o.Text("stopReason"), texts(o.Get("content"), ""))))
	}
	return out
}

// raw are the messages of a session.
func (b *bench) raw(key string) (out []rawjson.Object) {
	b.t.Helper()
	f, ok, err := b.stores.Lookup(key)
	if err != nil {
		b.t.Fatal(err)
	}
	if !ok {
		return nil
	}
	all, err := b.lib.Messages(Ref(f.Store, f.Key, f.Entry), 0)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, m := range all {
		o, _ := rawjson.Parse(m.Raw)
		out = append(out, o)
	}
	return out
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n  %s\nwant:\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}
