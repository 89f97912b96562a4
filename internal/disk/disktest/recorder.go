package disktest

import (
	"sync"
	"testing"

	"github.com/parleyd/parley/internal/disk"
)

// Recorder notes the changing operations of an FS in a directory, for
// PowerCuts. What happens outside of the directory is ignored. Work that goes
// on side by side may be recorded if no two goroutines change one file or the
// same names at once.
type Recorder struct {
	// Fault, when it is set, may let operations fail, as a disk.Hook does. It is
	// not to be set while the FS is used.
	Fault disk.Hook

	fs    *disk.FS
	dir   string
	begin image

	mu     sync.Mutex // guards all below
	events []event
	marks  []mark
}

// event is an operation and whether it failed; then Data is what was written
// all the same.
type event struct {
	op     disk.Op
	failed bool
}

// mark is what the work said when it had done so many operations.
type mark struct {
	at    int
	value any
}

// Record begins to note what happens in dir. What it holds already is taken as
// durable.
func Record(t testing.TB, dir string) *Recorder {
	t.Helper()
	begin, err := load(dir)
	if err != nil {
		t.Fatal(err)
	}
	r := &Recorder{dir: dir, begin: begin}
	r.fs = disk.New(r.hook)
	return r
}

// FS is what the work has to use.
func (r *Recorder) FS() *disk.FS { return r.fs }

// Dir is the directory that is recorded.
func (r *Recorder) Dir() string { return r.dir }

// Mark lets the work say something at this point, such as that from here on a
// change is acknowledged, or that one is about to be made. States after a later
// power cut are checked with it.
func (r *Recorder) Mark(value any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.marks = append(r.marks, mark{len(r.events), value})
}

// Ops are the operations up to now, without those that Fault let fail.
func (r *Recorder) Ops() []disk.Op {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ops []disk.Op
	for _, e := range r.events {
		if !e.failed {
			ops = append(ops, e.op)
		}
	}
	return ops
}

func (r *Recorder) hook(op disk.Op) (n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Fault != nil {
		n, err = r.Fault(op)
	}
	e := event{op: keep(op), failed: err != nil}
	if e.failed && op.Kind == disk.Write {
		e.op.Data = e.op.Data[:min(max(n, 0), len(e.op.Data))]
	}
	r.events = append(r.events, e)
	return n, err
}

// marksAt are the marks made before the operation after the first n.
func (r *Recorder) marksAt(n int) []any {
	var values []any
	for _, m := range r.marks {
		if m.at <= n {
			values = append(values, m.value)
		}
	}
	return values
}
