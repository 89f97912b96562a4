package disktest

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parleyd/parley/internal/disk"
)

// node is what a name stands for: *file, *directory or symlink.
type node any

type symlink string

// directory is names. What happened to them since the last sync is pending.
type directory struct {
	now     map[string]node
	durable map[string]node
	pending []*naming
	first   int // how many pending operations the power cut leaves, unless in any order
}

// naming is one operation on names: afterwards each stands for that, or for
// nothing.
type naming struct {
	what    string
	names   map[string]node
	picked  int  // 1 when the power cut leaves it, in any order
	doubted bool // a sync failed
}

func newDirectory() *directory {
	return &directory{now: map[string]node{}, durable: map[string]node{}}
}

func apply(names, changes map[string]node) {
	for name, n := range changes {
		if n == nil {
			delete(names, name)
		} else {
			names[name] = n
		}
	}
}

func (d *directory) change(what string, names map[string]node) {
	apply(d.now, names)
	d.pending = append(d.pending, &naming{what: what, names: names})
}

// sync makes durable what is pending, but for what was doubted and not done
// again.
func (d *directory) sync(failed bool) {
	if failed {
		for _, p := range d.pending {
			p.doubted = true
		}
		return
	}
	again := map[string]node{}
	var rest, saved []*naming
	for _, p := range slices.Backward(d.pending) {
		if p.doubted && !shares(p.names, again) {
			rest = append(rest, p)
			continue
		}
		maps.Copy(again, p.names)
		saved = append(saved, p)
	}
	for _, p := range slices.Backward(saved) {
		apply(d.durable, p.names)
	}
	slices.Reverse(rest)
	d.pending = rest
}

func shares(a, b map[string]node) bool {
	for name := range a {
		if _, ok := b[name]; ok {
			return true
		}
	}
	return false
}

// left are the names that the power cut leaves. What happened to one name comes
// in order: what follows on something lost is lost, too.
func (d *directory) left(anyOrder bool) map[string]node {
	names, lost := maps.Clone(d.durable), map[string]node{}
	for i, p := range d.pending {
		kept := i < d.first
		if anyOrder {
			kept = p.picked == 1 && !shares(p.names, lost)
		}
		if kept {
			apply(names, p.names)
		} else {
			maps.Copy(lost, p.names)
		}
	}
	return names
}

// tree is the directory that is recorded, at some point.
type tree struct {
	path    string
	unit    int64
	root    *directory
	handles map[uint64]*file
}

// apply does one operation. Those that the system must have refused do nothing.
func (t *tree) apply(e event) {
	op := e.op
	switch op.Kind {
	case disk.Write:
		if f := t.handles[op.Handle]; f != nil {
			f.write(op.Data, op.Off)
		}
		return
	case disk.Sync:
		f := t.handles[op.Handle]
		if f == nil {
			f, _ = t.at(op.Path).(*file) // it was opened for reading
		}
		if f != nil {
			f.sync(e.failed)
		}
		return
	case disk.SyncDir:
		if d, ok := t.at(op.Path).(*directory); ok {
			d.sync(e.failed)
		}
		return
	}
	if !e.failed {
		t.applyWhole(op)
	}
}

// applyWhole does an operation of those that happen or do not.
func (t *tree) applyWhole(op disk.Op) {
	d, name := t.parent(op.Path)
	if op.Kind == disk.Truncate {
		if f := t.handles[op.Handle]; f != nil {
			f.truncate(op.Off)
		}
		return
	}
	if d == nil {
		return
	}
	n, what := d.now[name], describe(op)
	switch op.Kind {
	case disk.Open:
		t.open(op, d, name)
	case disk.Mkdir:
		if n == nil {
			d.change(what, map[string]node{name: newDirectory()})
		}
	case disk.Remove:
		if n != nil && !full(n) {
			d.change(what, map[string]node{name: nil})
		}
	case disk.Rename, disk.Exchange, disk.Link:
		if to, toName := t.parent(op.To); n != nil && to != nil {
			move(op, d, name, to, toName)
		}
	}
}

func (t *tree) open(op disk.Op, d *directory, name string) {
	n := d.now[name]
	if n == nil && op.Flag&os.O_CREATE != 0 {
		f := newFile(nil, t.unit)
		d.change("making "+shown(op.Path), map[string]node{name: f})
		t.handles[op.Handle] = f
		return
	}
	f, ok := n.(*file)
	if !ok || op.Flag&os.O_CREATE != 0 && op.Flag&os.O_EXCL != 0 {
		return
	}
	t.handles[op.Handle] = f
	if op.Flag&os.O_TRUNC != 0 {
		f.truncate(0)
	}
}

// move does what gives a file another name.
func move(op disk.Op, d *directory, name string, to *directory, toName string) {
	n, old, what := d.now[name], to.now[toName], describe(op)
	switch {
	case op.Kind == disk.Link:
		if _, isFile := n.(*file); isFile && old == nil {
			to.change(what, map[string]node{toName: n})
		}
	case n == old: // two names of one file: nothing happens
	case op.Kind == disk.Exchange:
		if d == to && old != nil {
			d.change(what, map[string]node{name: old, toName: n})
		}
	case old != nil && (full(old) || isDir(old) != isDir(n)): // refused
	case d == to:
		d.change(what, map[string]node{name: nil, toName: n})
	default:
		to.change(what, map[string]node{toName: n})
		d.change(what, map[string]node{name: nil})
	}
}

func isDir(n node) bool {
	_, ok := n.(*directory)
	return ok
}

func full(n node) bool {
	d, ok := n.(*directory)
	return ok && len(d.now) > 0
}

// parent is the directory of a path and the name in it, nil when it lies
// outside.
func (t *tree) parent(path string) (*directory, string) {
	d, _ := t.at(filepath.Dir(path)).(*directory)
	return d, filepath.Base(path)
}

// at is what stands at a path, nil when nothing does or it lies outside.
func (t *tree) at(path string) node {
	rel, err := filepath.Rel(t.path, path)
	if err != nil || !filepath.IsLocal(rel) {
		return nil
	}
	var n node = t.root
	if rel == "." {
		return n
	}
	for name := range strings.SplitSeq(rel, string(filepath.Separator)) {
		d, ok := n.(*directory)
		if !ok {
			return nil
		}
		n = d.now[name]
	}
	return n
}
