package transcript

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"slices"
	"sync"

	"github.com/parleyd/parley/internal/rawjson"
)

// scanBuffer is how much of a file is read at once: what the scan looks at
// stays in the processor's cache.
const scanBuffer = 256 << 10

// builder makes an index of the lines of a file.
type builder struct {
	*index
	f       fields
	leaf    []byte // the leaf's id as written
	pending []pending
}

// pending is a line whose parent is not the line before it.
type pending struct {
	line   int32
	parent string
}

// scan reads a transcript of the given size, a long one in as many parts at
// once as there are processors.
func scan(r io.ReaderAt, size int64) (*index, error) {
	return scanParts(r, size, int(min(size/minPart, int64(runtime.GOMAXPROCS(0)))))
}

// minPart is what is worth a goroutine.
const minPart = 4 << 20

func scanParts(r io.ReaderAt, size int64, n int) (*index, error) {
	n = max(n, 1)
	parts := make([]*builder, n)
	faults := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { parts[i], faults[i] = scanPart(r, size*int64(i)/int64(n), size*int64(i+1)/int64(n), size) })
	}
	wg.Wait()
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	b := parts[0]
	if b.parsed == 0 && n > 1 {
		return scanParts(r, size, 1) // the header may be in another part
	}
	for _, p := range parts[1:] {
		b.join(p)
	}
	if err := b.link(r); err != nil {
		return nil, err
	}
	b.leafID = text(b.leaf)
	return b.index, nil
}

// scanPart reads the lines that begin in a part of a transcript.
func scanPart(r io.ReaderAt, from, to, size int64) (*builder, error) {
	b := &builder{index: newIndex()}
	b.size = size
	in := newLinesFrom(r, max(0, from-1), size, scanBuffer)
	if from > 0 {
		b.parsed = 1 // of the lines before: none of this part is the first one
		b.tally.costs = new([]float64)
		// The line to which the byte before the part belongs is not ours.
		if _, _, err := in.line(); err != nil {
			return nil, err
		}
	}
	for in.off < to {
		line, ok, err := in.line()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		b.add(line)
	}
	return b, nil
}

// join takes in the part that follows.
func (b *builder) join(p *builder) {
	b.filled += p.filled
	b.parsed += p.parsed - 1
	b.bad += p.bad
	b.ended = b.ended && p.ended
	by := int32(b.lines.n)
	b.keys.join(p.keys, by)
	b.tally.join(p.tally)
	b.lastRun.join(p.lastRun)
	for i := range p.lines.n {
		s := p.lines.at(i)
		if s.parent = p.lines.parent(i); s.parent >= 0 {
			s.parent += by
		} else if b.lines.lastID < by && p.childOf(b.leaf, i) {
			// The first line with an id is pending, since p knew none before it.
			s.parent = b.lines.lastID
			p.pending = p.pending[1:]
		}
		b.lines.add(s)
	}
	for _, w := range p.pending {
		b.pending = append(b.pending, pending{w.line + by, w.parent})
	}
	if p.leaf != nil {
		b.leaf = p.leaf
	}
}

// childOf reports whether line i, if its parent is the first one pending, is
// the child of this leaf.
func (b *builder) childOf(leaf []byte, i int) bool {
	return leaf != nil && len(b.pending) > 0 && b.pending[0].line == int32(i) && b.pending[0].parent == text(leaf)
}

// add takes in the next line.
func (b *builder) add(line rawLine) {
	b.ended = line.ended
	if line.long {
		b.filled++
		b.bad++
		return
	}
	s, ok := b.take(&b.f, line.text, line.off, line.n)
	if !ok {
		return
	}
	if s.hasID {
		b.findParent(&s)
		b.leaf = append(b.leaf[:0], b.f.ID...)
	}
	b.put(&b.f, s)
}

// findParent finds the parent of a line that is the child of the one before;
// others come at the end, since looking one up among all costs memory.
func (b *builder) findParent(s *span) {
	parent := b.f.ParentID
	if !kindIs(parent, '"') || len(parent) == 2 {
		return
	}
	if bytes.Equal(parent, b.leaf) {
		s.parent = b.lines.lastID
		return
	}
	b.pending = append(b.pending, pending{int32(b.lines.n), text(parent)})
}

// tableID is an id as the table keeps it.
type tableID struct {
	value uint32
	usual bool
}

// link finds the parents that are pending: each is the last line before its
// child that has this id, or there is none.
func (b *builder) link(r io.ReaderAt) error {
	have := map[tableID][]int32{} // lines with the ids that are wanted
	ids := make([]tableID, len(b.pending))
	for i, p := range b.pending {
		value, usual := idOf(rawjson.AppendString(nil, p.parent))
		ids[i] = tableID{value, usual}
		have[ids[i]] = nil
	}
	var found []adoption
	at := 0
	for i, p := range b.pending {
		for ; at < int(p.line); at++ {
			b.gather(have, at)
		}
		parent, err := b.lastWith(r, p.parent, have[ids[i]])
		if err != nil {
			return err
		}
		switch {
		case parent >= 0:
			found = append(found, adoption{p.line, parent})
		case b.lines.idBefore(int(p.line)) >= 0:
			b.orphans++ // the first line may have lost its parent to a compaction
		}
	}
	b.lines.adopt(found)
	return nil
}

// gather notes a line that has an id which is wanted.
func (b *builder) gather(have map[tableID][]int32, at int) {
	s := b.lines.at(at)
	id := tableID{s.id, s.usual}
	list, wanted := have[id]
	switch {
	case !wanted || !s.hasID:
	case s.usual:
		have[id] = append(list[:0], int32(at)) // the last one will do
	default:
		have[id] = append(list, int32(at)) // two ids may have one hash
	}
}

// lastWith is the last of these lines that has the id, or -1.
func (b *builder) lastWith(r io.ReaderAt, id string, lines []int32) (int32, error) {
	for _, at := range slices.Backward(lines) {
		s := b.lines.at(int(at))
		if s.usual {
			return at, nil
		}
		same, err := hasID(r, s, id)
		if err != nil {
			return -1, err
		}
		if same {
			return at, nil
		}
	}
	return -1, nil
}

// hasID reports whether a line has this id.
func hasID(r io.ReaderAt, s span, id string) (bool, error) {
	if !s.hasID {
		return false, nil
	}
	if value, usual := idOf(rawjson.AppendString(nil, id)); s.id != value || s.usual != usual || usual {
		return s.id == value && s.usual == usual, nil
	}
	line, err := readSpan(r, s)
	if err != nil {
		return false, err
	}
	f, _ := parse(line)
	return text(f.ID) == id, nil
}
