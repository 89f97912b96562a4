package transcript

import "sort"

// table is the lines of a transcript that matter: every listed one and every
// one with an id, in file order. It takes some nine bytes for each as long as
// lines follow each other and each is the child of the one before; what is
// otherwise stands in a second, sparse table.
//
// A copy of a table stays as it is when another copy grows, and shares its
// memory. Only one of the copies of a length may grow.
type table struct {
	blocks []*block
	n      int
	odds   seq[odd]
	lastN  int64 // length of the last line
	lastID int32 // position of the last line with an id, -1 for none
	listed int32
}

const (
	// blockLines makes a block one kibibyte, a size that is allocated without
	// waste.
	blockLines = 112
	blockBytes = 1024
	oddBytes   = 24
	pointer    = 8
)

// block is so many lines in a row.
type block struct {
	off    int64 // of its first line
	listed int32 // how many lines before it are listed
	lastID int32 // position of the last line with an id before it
	delta  [blockLines]uint32
	id     [blockLines]uint32
	flags  [blockLines]lineFlags
}

// farAway is the delta of a line 4 GiB behind its block.
const farAway = 1<<32 - 1

type lineFlags uint8

const (
	maskKind   lineFlags = 0x07 // a kind
	flagListed lineFlags = 0x08
	flagHasID  lineFlags = 0x10
	flagUsual  lineFlags = 0x20 // the id is of the usual form
	flagChild  lineFlags = 0x40 // the parent is the last line before it that has an id
	flagOdd    lineFlags = 0x80 // odds tells parent, place and length of the line before
)

// odd is what is unusual about a line.
type odd struct {
	pos, parent int32
	off, before int64
}

// span is one line by its place in the file and in the tree.
type span struct {
	pos    int32
	off, n int64  // n counts a carriage return, but not the newline
	parent int32  // position of the parent, -1 for a root
	id     uint32 // the id's value when it has the usual form, else a hash of it
	kind   kind
	listed bool
	hasID  bool
	usual  bool
}

type kind uint8

const (
	kindOther kind = iota
	kindMessage
	kindCompaction
	kindCustomMessage
	kindBranchSummary
)

func newTable() table { return table{lastID: -1} }

// add adds a line, whose parent is a position before it or -1. What it gets
// for pos does not count.
func (t *table) add(s span) {
	b, i := t.grow(s.off)
	flags := lineFlags(s.kind)
	if s.parent >= 0 && s.parent == t.lastID {
		flags |= flagChild
	}
	if d := s.off - b.off; d < farAway {
		b.delta[i] = uint32(d)
	} else {
		b.delta[i] = farAway
	}
	if b.delta[i] == farAway || s.parent >= 0 && s.parent != t.lastID || t.n > 0 && s.off != t.off(t.n-1)+t.lastN+1 {
		flags |= flagOdd
		t.odds.add(odd{pos: int32(t.n), parent: s.parent, off: s.off, before: t.lastN})
	}
	if s.listed {
		flags |= flagListed
		t.listed++
	}
	if s.hasID {
		flags |= flagHasID
		t.lastID = int32(t.n)
	}
	if s.usual {
		flags |= flagUsual
	}
	b.id[i], b.flags[i] = s.id, flags
	t.lastN = s.n
	t.n++
}

// grow is the place for one more line.
func (t *table) grow(off int64) (*block, int) {
	k, i := t.n/blockLines, t.n%blockLines
	if i == 0 {
		// Another copy of this length may have grown, in vain.
		t.blocks = append(t.blocks[:k], &block{off: off, listed: t.listed, lastID: t.lastID})
	}
	return t.blocks[k], i
}

func (t *table) flags(i int) lineFlags { return t.blocks[i/blockLines].flags[i%blockLines] }

// off is where line i begins.
func (t *table) off(i int) int64 {
	b := t.blocks[i/blockLines]
	if d := b.delta[i%blockLines]; d != farAway {
		return b.off + int64(d)
	}
	return t.odd(i).off
}

// odd is what is unusual about line i, which must have the flag.
func (t *table) odd(i int) odd {
	return t.odds.at(sort.Search(t.odds.n, func(k int) bool { return t.odds.at(k).pos >= int32(i) }))
}

// length is the length of line i.
func (t *table) length(i int) int64 {
	switch {
	case i == t.n-1:
		return t.lastN
	case t.flags(i+1)&flagOdd != 0:
		return t.odd(i + 1).before
	}
	return t.off(i+1) - 1 - t.off(i)
}

// parent is the position of the parent of line i, or -1.
func (t *table) parent(i int) int32 {
	switch f := t.flags(i); {
	case f&flagOdd != 0:
		return t.odd(i).parent
	case f&flagChild == 0:
		return -1
	}
	return t.idBefore(i)
}

// idBefore is the position of the last line before line i that has an id, or
// -1.
func (t *table) idBefore(i int) int32 {
	b := t.blocks[i/blockLines]
	for k := i%blockLines - 1; k >= 0; k-- {
		if b.flags[k]&flagHasID != 0 {
			return int32(i/blockLines*blockLines + k)
		}
	}
	return b.lastID
}

// adoption gives a line another parent than add did.
type adoption struct{ line, parent int32 }

// adopt changes the parents of lines, given in order, in a table that nobody
// else has seen yet.
func (t *table) adopt(list []adoption) {
	if len(list) == 0 {
		return
	}
	old := t.odds
	var merged seq[odd]
	k := 0
	for _, a := range list {
		for ; k < old.n && old.at(k).pos < a.line; k++ {
			merged.add(old.at(k))
		}
		i := int(a.line)
		o := odd{pos: a.line, parent: a.parent, off: t.off(i)}
		if i > 0 {
			o.before = t.length(i - 1)
		}
		if k < old.n && old.at(k).pos == a.line {
			k++
		}
		merged.add(o)
	}
	for ; k < old.n; k++ {
		merged.add(old.at(k))
	}
	t.odds = merged
	for _, a := range list {
		t.blocks[a.line/blockLines].flags[a.line%blockLines] |= flagOdd
	}
}

// at is all about line i but its parent.
func (t *table) at(i int) span {
	f := t.flags(i)
	return span{
		pos: int32(i), off: t.off(i), n: t.length(i), parent: -1, id: t.blocks[i/blockLines].id[i%blockLines], kind: kind(f & maskKind),
		listed: f&flagListed != 0, hasID: f&flagHasID != 0, usual: f&flagUsual != 0,
	}
}

// message is the position of the listed line with this number, from 1.
func (t *table) message(number int) int {
	k := sort.Search(len(t.blocks), func(k int) bool { return int(t.blocks[k].listed) >= number }) - 1
	seen := int(t.blocks[k].listed)
	for i := k * blockLines; ; i++ {
		if t.flags(i)&flagListed != 0 {
			if seen++; seen == number {
				return i
			}
		}
	}
}

// size is how many bytes of memory t takes.
func (t *table) size() int {
	return len(t.blocks)*(blockBytes+pointer) + len(t.odds.parts)*(seqPart*oddBytes+pointer)
}
