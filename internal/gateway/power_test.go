package gateway

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/disk/disktest"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

func writeText(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

var seedFlag = flag.Uint64("seed", 0, "where the random choices of the crash tests start; 0 chooses")

// chosen is a source of random choices that can be made again.
func chosen(t testing.TB) (seed uint64, random *rand.Rand) {
	seed = cmp.Or(*seedFlag, rand.Uint64())
	t.Logf("-seed %d", seed)
	return seed, rand.New(rand.NewPCG(seed, 1))
}

// Whenever the power goes, what a client was told is there when the gateway
// starts again. One in sampled states is looked at.
func TestPowerCutsInALife(t *testing.T) {
	const sampled = 3
	state := t.TempDir()
	prepare(t, state)
	rec := disktest.Record(t, state)
	synctest.Test(t, func(t *testing.T) {
		runLife(t, state, rec.FS(), "", func(m moment) { rec.Mark(m) }, func() {})
	})
	seed, random := chosen(t)
	looked := 0
	o := disktest.Options{AnyOrder: true, All: 128, Samples: 32, Seed: seed, Ignore: []string{"*.lock", "*.flock", "*.tmp"}}
	n := disktest.PowerCuts(t, rec, o, func(dir string, marks []any) (err error) {
		if random.IntN(sampled) > 0 {
			return nil
		}
		looked++
		synctest.Test(t, func(t *testing.T) { err = holds(t, dir, toldBy(marks), false) })
		return err
	})
	t.Logf("looked at %d of %d states after %d operations", looked, n, len(rec.Ops()))
}

// failing lets one operation of a disk fail, and all that follow if it dies.
type failing struct {
	at    int
	err   error
	dies  bool
	bytes int // of a write that are written all the same

	mu   sync.Mutex // guards done
	done []disk.Op
}

func (f *failing) hook(op disk.Op) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.done)
	op.Data = nil
	f.done = append(f.done, op)
	if n == f.at || n > f.at && f.dies {
		return f.bytes, f.err
	}
	return 0, nil
}

func (f *failing) String() string {
	if f.at < 0 || f.at >= len(f.done) {
		return "no operation failed"
	}
	op := f.done[f.at]
	text := fmt.Sprintf("operation %d, %s %s: %v", f.at, op.Kind, filepath.Base(op.Path), f.err)
	if f.bytes > 0 && op.Kind == disk.Write {
		text += fmt.Sprintf(" after %d bytes", f.bytes)
	}
	if f.dies {
		text += ", and all that follow"
	}
	return text
}

// Whatever operation fails, each answer is an error or true, after a crash as
// after a shutdown, and one fault costs one call, or that and the next one to the
// session that could not be made.
func TestFaultsInALife(t *testing.T) {
	const lives = 16
	_, random := chosen(t)
	count := &failing{at: -1}
	faultyLife(t, count)
	for range lives {
		faultyLife(t, &failing{
			at: random.IntN(len(count.done)), err: []error{syscall.ENOSPC, syscall.EIO}[random.IntN(2)],
			dies: random.IntN(4) == 0, bytes: random.IntN(2) * random.IntN(100),
		})
	}
}

func faultyLife(t *testing.T, f *failing) {
	t.Helper()
	var told []moment
	state, crashed := t.TempDir(), t.TempDir()
	prepare(t, state)
	synctest.Test(t, func(t *testing.T) {
		runLife(t, state, disk.New(f.hook), `{"device":false}`, func(m moment) { told = append(told, m) }, func() {
			if err := os.CopyFS(crashed, os.DirFS(state)); err != nil {
				t.Fatal(err)
			}
		})
	})
	refused := 0
	for _, m := range told {
		if m.when != begun && !m.ok && !life[m.act].refused {
			refused++
		}
	}
	if refused > 2 && !f.dies {
		t.Errorf("%v: %d calls failed", f, refused)
	}
	for when, dir := range map[string]string{"a crash": crashed, "the shutdown": state} {
		synctest.Test(t, func(t *testing.T) {
			if err := holds(t, dir, told, true); err != nil {
				t.Errorf("%v; after %s: %v", f, when, err)
			}
		})
	}
}

func toldBy(marks []any) (told []moment) {
	for _, m := range marks {
		told = append(told, m.(moment))
	}
	return told
}

// holds starts the gateway on what a crash left and says what of it is not as
// a client may expect, if anything is. It is for a bubble.
func holds(t testing.TB, state string, told []moment, faulty bool) error {
	t.Helper()
	g := newGateway(optionsFor(t, state, nil))
	if err := g.open(nil); err != nil {
		return err
	}
	w := &left{g: g, expected: expect(told, faulty), paired: len(told) > 0 && !faulty}
	w.look()
	w.judge()
	if len(w.faults) == 0 {
		w.goOn()
	}
	if err := g.Close(); err != nil {
		w.fault("close: %v", err)
	}
	if len(w.faults) == 0 {
		w.judgeStore()
	}
	if len(w.faults) == 0 {
		return nil
	}
	return fmt.Errorf("after %v:\n%s", last(told), strings.Join(w.faults, "\n"))
}

func last(told []moment) string {
	if len(told) == 0 {
		return "nothing"
	}
	m := told[len(told)-1]
	return fmt.Sprintf("%s %.60s %s", life[m.act].method, life[m.act].params, []string{"begun", "answered", "over"}[m.when])
}

// left is what a crash left, as a gateway finds it.
type left struct {
	*expected
	g      *Gateway
	paired bool // a client's device is
	faults []string

	entries map[string]sessions.Entry
	heard   map[string][]string // texts of the messages by session key
	files   map[string][]string // and by file name
}

func (w *left) fault(format string, args ...any) {
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

func (w *left) store() *sessions.Store {
	st, err := w.g.stores.Store("agent:main:a")
	if err != nil {
		panic(err)
	}
	return st
}

// look reads all that is there.
func (w *left) look() {
	w.entries, w.heard, w.files = map[string]sessions.Entry{}, map[string][]string{}, map[string][]string{}
	for _, st := range w.g.stores.All() {
		w.lookAt(st)
	}
	st := w.store()
	names, err := os.ReadDir(st.Dir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.fault("%v", err)
	}
	for _, n := range names {
		switch name := n.Name(); {
		case strings.Contains(name, ".corrupt.") || strings.HasSuffix(name, ".conflicts"):
			w.fault("there is a file %s", name)
		case strings.Contains(name, ".jsonl") && !strings.HasSuffix(name, ".tmp") && n.Type().IsRegular():
			w.files[name] = w.textsIn(filepath.Join(st.Dir(), name))
		}
	}
}

// lookAt reads a store and what its sessions tell.
func (w *left) lookAt(st *sessions.Store) {
	err := st.View(func(v *sessions.Snapshot) error {
		for key, e := range v.All() {
			short := strings.TrimPrefix(key, "agent:main:")
			w.entries[short] = e
			messages, err := w.g.transcripts.Messages(runs.Ref(st, key, e), 1000)
			if err == nil {
				w.heard[short] = textsOf(messages)
			} else if e.SessionID() != "bad" && !errors.Is(err, transcript.ErrNotFound) {
				w.fault("messages of %s: %v", key, err)
			}
		}
		return nil
	})
	if err != nil {
		w.fault("a store cannot be read: %v", err)
	}
}

func textsOf(messages []transcript.Message) (texts []string) {
	for _, m := range messages {
		texts = append(texts, textOf(m.Raw))
	}
	return texts
}

// textOf is the text of a message.
func textOf(raw rawjson.Value) string {
	var m struct {
		Content []struct {
			Text string `json:"text"`
		} `json:"content"`
	}
	if rawjson.Unmarshal(raw, &m) != nil || len(m.Content) == 0 {
		return ""
	}
	return m.Content[0].Text
}

// textsIn are the texts in a transcript file. Its pictures must be there.
func (w *left) textsIn(path string) (texts []string) {
	data, err := os.ReadFile(path)
	if err != nil {
		w.fault("%v", err)
	}
	for line := range strings.Lines(string(data)) {
		o, err := rawjson.Parse([]byte(line))
		if err != nil || o.Text("type") != "message" {
			continue
		}
		texts = append(texts, textOf(o.Get("message")))
		if m, err := rawjson.Parse(o.Get("message")); err == nil && m.Text("MediaPath") != "" {
			picture := filepath.Join(w.g.mediaDir(), filepath.Base(m.Text("MediaPath")))
			if data, err := os.ReadFile(picture); err != nil || base64.StdEncoding.EncodeToString(data) != png {
				w.fault("a picture is not what it was: %v", err)
			}
		}
	}
	return texts
}

// judge compares what is there with what a client may expect.
func (w *left) judge() {
	if _, paired, err := w.g.gate.devices.List(); err != nil || w.paired && len(paired) != 1 {
		w.fault("%d devices are paired, %v", len(paired), err)
	}
	for key, labels := range w.labels {
		is := "-"
		if e, ok := w.entries[key]; ok {
			is = e.Text("label")
			w.judgeEntry(key, e)
		}
		if !slices.Contains(labels, is) {
			w.fault("label of %s is %q, want one of %q", key, is, labels)
		}
	}
	for _, x := range w.texts {
		w.judgeText(x)
	}
	for name, texts := range w.files {
		w.judgeOrder(name, texts)
	}
}

func (w *left) judgeEntry(key string, e sessions.Entry) {
	if e.Text("status") == "running" {
		w.fault("%s is running", key)
	}
	for name := range w.files {
		if old, reason, _, ok := transcript.ArchiveName(name); ok && reason != "bak" && old == e.SessionID()+".jsonl" {
			w.fault("the transcript of %s is set aside as %s", key, name)
		}
	}
}

func (w *left) judgeText(x *expectedText) {
	var inPlace, aside, copies int
	for name, texts := range w.files {
		n := 0
		for _, text := range texts {
			if text == x.text {
				n++
			}
		}
		switch _, _, _, archived := transcript.ArchiveName(name); {
		case strings.Contains(name, ".jsonl.bak"): // of a compaction or a repair
			copies += n
		case archived:
			aside += n
		default:
			inPlace += n
		}
	}
	heard := slices.Contains(w.heard[x.key], x.text)
	switch {
	case inPlace+aside > 1:
		w.fault("%v is there %d times", x, inPlace+aside)
	case x.done && heard:
		w.fault("%v is in the session that has begun anew", x)
	case !x.sure || x.failed && x.ends:
	case inPlace+aside == 0 && (!x.cut || copies == 0):
		w.fault("%v is lost", x)
	case !x.ends && !x.cut && !heard:
		w.fault("%v cannot be reached", x)
	}
}

// judgeOrder: all texts of a file are in the order of the calls.
func (w *left) judgeOrder(name string, texts []string) {
	before := -1
	for _, text := range texts {
		at := slices.IndexFunc(w.texts, func(x *expectedText) bool { return x.text == text })
		if at >= 0 && at < before {
			w.fault("%s: %.20q stands behind a later text", name, text)
		}
		before = max(at, before)
	}
}

// goOn changes each session and writes to its transcript: after a crash all
// must work again.
func (w *left) goOn() {
	st := w.store()
	delete(w.entries, "agent:ops:bad")
	err := st.Update(context.Background(), func(tx *sessions.Tx) error {
		for key, e := range w.entries {
			w.entries[key] = e.With(func(o *rawjson.Object) { o.Put("label", "on "+key) })
			tx.Put("agent:main:"+key, w.entries[key])
		}
		return nil
	})
	if err != nil {
		w.fault("a change afterwards: %v", err)
	}
	for key, e := range w.entries {
		ref := runs.Ref(st, "agent:main:"+key, e)
		if _, err := w.g.transcripts.Append(ref, "/", runs.OwnLine("on", w.g.started)); err != nil {
			w.fault("a message to %s afterwards: %v", key, err)
			continue
		}
		path, err := w.g.transcripts.Locate(ref)
		if err != nil {
			w.fault("the transcript of %s: %v", key, err)
			continue
		}
		c, err := transcript.Check(path)
		if err != nil || !c.Header || c.Bad > 1 || c.Torn || c.Repeated+c.Orphans > 0 {
			w.fault("the transcript of %s is %+v, %v", key, c, err)
		}
	}
}

// judgeStore: the store is whole when the gateway has stopped.
func (w *left) judgeStore() {
	data, err := os.ReadFile(filepath.Join(w.store().Dir(), "sessions.json"))
	if errors.Is(err, fs.ErrNotExist) && len(w.entries) == 0 {
		return
	}
	if err != nil {
		w.fault("%v", err)
		return
	}
	o, err := rawjson.Parse(data)
	if err != nil || o.Len() != len(w.entries) {
		w.fault("sessions.json has %d entries, want %d; %v", o.Len(), len(w.entries), err)
	}
	for key := range w.entries {
		if e, err := rawjson.Parse(o.Get("agent:main:" + key)); err != nil || e.Text("label") != "on "+key {
			w.fault("sessions.json has not the last change of %s", key)
		}
	}
}
