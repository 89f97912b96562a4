package disktest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Options are how thorough PowerCuts is. The zero value will do.
type Options struct {
	// AnyOrder lets operations on different names of a directory survive in any
	// order; without it a power cut leaves the first ones.
	AnyOrder bool
	// Sectors lets each 512 bytes of a file survive alone, not 4 KiB.
	Sectors bool
	// All is how many states after one operation are all checked: 256 if 0. Of
	// more than that, these are checked: nothing survives, all does, all content
	// and no names, all names and no content; all but one change, or just one,
	// for each change; and Samples (64 if 0) others, chosen at random.
	All, Samples int
	// Seed is where the random choice starts.
	Seed uint64
	// Ignore are patterns of the names of files that the work makes past its FS,
	// such as locks.
	Ignore []string
}

// PowerCuts makes the states that a power cut during or after the recorded work
// may leave, each in a fresh directory, and calls check with each that differs,
// in its content or its marks, from those before. It fails the test at the
// first state for which check returns an error or fails the test itself. It
// returns how many states there were.
func PowerCuts(t testing.TB, rec *Recorder, o Options, check func(dir string, marks []any) error) int {
	t.Helper()
	c := newCutter(rec, o, t.TempDir())
	failed := t.Failed()
	c.check = func(dir string, marks []any) error {
		err := check(dir, marks)
		if err == nil && !failed && t.Failed() {
			err = errors.New("the check failed the test")
		}
		return err
	}
	told := false
	defer func() {
		if !told && c.busy { // the check has ended the test
			t.Logf("in the state left by a %s", c.state())
		}
	}()
	n, err := c.run()
	told = true
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// cutter makes the states of one recording.
type cutter struct {
	rec    *Recorder
	o      Options
	dir    string // where the states are made
	check  func(dir string, marks []any) error
	random *rand.Rand
	tree   *tree
	done   int // operations before the cut
	dims   []dim
	seen   map[string]bool
	busy   bool // check is being called
}

// dim is something that the power cut may leave in one of n ways: 0 is what was
// durable, n-1 the last.
type dim struct {
	what string
	name bool // it is about names, not content
	n    int
	pick *int
}

func newCutter(rec *Recorder, o Options, dir string) *cutter {
	if o.All == 0 {
		o.All = 256
	}
	if o.Samples == 0 {
		o.Samples = 64
	}
	unit := int64(4096)
	if o.Sectors {
		unit = 512
	}
	return &cutter{
		rec: rec, o: o, dir: dir, random: rand.New(rand.NewPCG(o.Seed, 0)),
		tree: rec.begin.tree(rec.dir, unit), seen: map[string]bool{},
	}
}

// run checks the states after each operation, and says how many there were.
func (c *cutter) run() (int, error) {
	for {
		c.dims = c.tree.dims(c.o.AnyOrder)
		if err := c.states(); err != nil {
			return len(c.seen), err
		}
		if c.done == len(c.rec.events) {
			return len(c.seen), c.agrees()
		}
		c.tree.apply(c.rec.events[c.done])
		c.done++
	}
}

// agrees reports whether the model comes to the same as the system did. If not,
// the work has changed files past its FS, or the model is wrong.
func (c *cutter) agrees() error {
	system, err := load(c.rec.dir)
	if err != nil {
		return err
	}
	c.pickAll(true, true)
	if path := c.tree.image(c.o.AnyOrder).differs(system, c.o.Ignore); path != "" {
		return fmt.Errorf("%s is not what the recorded operations make of it: was it changed past the FS?", path)
	}
	return nil
}

// states checks the states in which the tree may be now.
func (c *cutter) states() error {
	all := 1
	for _, d := range c.dims {
		if all *= d.n; all > c.o.All {
			return c.chosenStates()
		}
	}
	for range all {
		if err := c.one(); err != nil {
			return err
		}
		for _, d := range c.dims { // the next one: count up
			if *d.pick++; *d.pick < d.n {
				break
			}
			*d.pick = 0
		}
	}
	return nil
}

func (c *cutter) chosenStates() error {
	for _, names := range []bool{false, true} {
		for _, content := range []bool{false, true} {
			c.pickAll(names, content)
			if err := c.one(); err != nil {
				return err
			}
		}
	}
	if err := c.neighbours(); err != nil {
		return err
	}
	for range c.o.Samples {
		for _, d := range c.dims {
			switch *d.pick = d.n - 1; c.random.IntN(5) {
			case 0, 1:
				*d.pick = 0
			case 2:
				*d.pick = c.random.IntN(d.n)
			}
		}
		if err := c.one(); err != nil {
			return err
		}
	}
	return nil
}

// neighbours checks the states in which one change is lost, or only one is not.
func (c *cutter) neighbours() error {
	for _, all := range []bool{true, false} {
		for _, d := range c.dims {
			c.pickAll(all, all)
			if *d.pick = 0; !all {
				*d.pick = d.n - 1
			}
			if err := c.one(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *cutter) pickAll(names, content bool) {
	for _, d := range c.dims {
		if *d.pick = 0; d.name && names || !d.name && content {
			*d.pick = d.n - 1
		}
	}
}

// one checks the state that is picked, unless it was checked before.
func (c *cutter) one() error {
	img, marks := c.tree.image(c.o.AnyOrder), c.rec.marksAt(c.done)
	id := fmt.Sprintf("%x %d", img.hash(), len(marks))
	if c.seen[id] {
		return nil
	}
	c.seen[id] = true
	dir := filepath.Join(c.dir, fmt.Sprintf("state%d", len(c.seen)))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := img.write(dir); err != nil {
		return err
	}
	c.busy = true
	if err := c.check(dir, marks); err != nil {
		return fmt.Errorf("%w\nafter a %s", err, c.state())
	}
	c.busy = false
	return os.RemoveAll(dir)
}

// state describes the state for people.
func (c *cutter) state() string {
	var b strings.Builder
	fmt.Fprintf(&b, "power cut after %d of %d operations (seed %d)", c.done, len(c.rec.events), c.o.Seed)
	for i, e := range c.rec.events[:c.done] {
		if i < c.done-30 {
			continue
		}
		failed := ""
		if e.failed {
			failed = ": failed"
		}
		fmt.Fprintf(&b, "\n  %d %s%s", i+1, describe(e.op), failed)
	}
	for _, d := range c.dims {
		if *d.pick < d.n-1 {
			fmt.Fprintf(&b, "\n  lost: %s, left at %d of %d", d.what, *d.pick, d.n-1)
		}
	}
	fmt.Fprintf(&b, "\n  marks: %v", c.rec.marksAt(c.done))
	for rel, o := range c.tree.image(c.o.AnyOrder) {
		if !o.dir {
			fmt.Fprintf(&b, "\n  file %s: %d bytes", rel, len(o.data))
		}
	}
	return b.String()
}

// dims are all that may be left in several ways, and what is picked is the
// first.
func (t *tree) dims(anyOrder bool) []dim {
	var dims []dim
	visited := map[node]bool{}
	var visit func(path string, n node)
	visit = func(path string, n node) {
		if n == nil || visited[n] {
			return
		}
		visited[n] = true
		switch n := n.(type) {
		case *file:
			dims = append(dims, n.dims(path)...)
		case *directory:
			dims = append(dims, n.dims(path, anyOrder)...)
			for _, name := range slices.Sorted(maps.Keys(n.durable)) {
				visit(filepath.Join(path, name), n.durable[name])
			}
			for _, p := range n.pending {
				for _, name := range slices.Sorted(maps.Keys(p.names)) {
					visit(filepath.Join(path, name), p.names[name])
				}
			}
		}
	}
	visit("", t.root)
	dims = slices.DeleteFunc(dims, func(d dim) bool {
		*d.pick = 0
		return d.n < 2
	})
	return dims
}

func (f *file) dims(path string) []dim {
	dims := []dim{{what: "size of " + shown(path), n: len(f.size.all), pick: &f.size.picked}}
	for _, i := range slices.Sorted(maps.Keys(f.blocks)) {
		b := f.blocks[i]
		dims = append(dims, dim{what: fmt.Sprintf("bytes %d of %s", i*f.unit, shown(path)), n: len(b.all), pick: &b.picked})
	}
	return dims
}

func (d *directory) dims(path string, anyOrder bool) []dim {
	if !anyOrder {
		return []dim{{what: "changes of names in /" + path, name: true, n: len(d.pending) + 1, pick: &d.first}}
	}
	var dims []dim
	for _, p := range d.pending {
		dims = append(dims, dim{what: p.what, name: true, n: 2, pick: &p.picked})
	}
	return dims
}
