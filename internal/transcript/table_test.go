package transcript

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// makeSpans makes lines as files have them: most follow each other and are
// children of the one before, some do not, and one lies far away.
func makeSpans(r *rand.Rand, n int) (list []span, kids []adoption) {
	off, lastID := int64(120), int32(-1)
	for i := range n {
		s := span{pos: int32(i), off: off, n: 1 + r.Int64N(1000), parent: -1, id: r.Uint32(), kind: kind(r.IntN(5))}
		s.listed, s.hasID = r.IntN(4) > 0, r.IntN(8) > 0
		s.usual = s.hasID && r.IntN(20) > 0
		switch {
		case s.hasID && r.IntN(20) == 0 && i > 0:
			kids = append(kids, adoption{int32(i), r.Int32N(int32(i))})
		case s.hasID && r.IntN(20) > 0:
			s.parent = lastID
		}
		if s.hasID {
			lastID = int32(i)
		}
		off += s.n + 1
		switch {
		case r.IntN(15) == 0:
			off += r.Int64N(5000) // a line that is none
		case i == n/2:
			off += 5 << 30
		}
		list = append(list, s)
	}
	return list, kids
}

func checkTable(t *testing.T, tab *table, want []span) {
	t.Helper()
	if tab.n != len(want) {
		t.Fatalf("%d lines, want %d", tab.n, len(want))
	}
	number := 0
	for i, w := range want {
		got := tab.at(i)
		got.parent = tab.parent(i)
		if diff := cmp.Diff(w, got, cmp.AllowUnexported(span{})); diff != "" {
			t.Fatalf("line %d: %s", i, diff)
		}
		if w.listed {
			number++
			if at := tab.message(number); at != i {
				t.Fatalf("message %d is line %d, want %d", number, at, i)
			}
		}
	}
	if int(tab.listed) != number {
		t.Fatalf("%d messages, want %d", tab.listed, number)
	}
}

func TestTable(t *testing.T) {
	for seed := range uint64(20) {
		list, kids := makeSpans(rand.New(rand.NewPCG(seed, 1)), 40*int(seed)+1)
		tab := newTable()
		copies := map[int]table{}
		for i, s := range list {
			if i%97 == 0 {
				copies[i] = tab
			}
			// Another copy grows in vain first, as in an append that fails.
			vain := tab
			vain.add(span{off: s.off + 7, n: 3, parent: -1, listed: true})
			tab.add(s)
		}
		checkTable(t, &tab, list)
		for n, c := range copies {
			checkTable(t, &c, list[:n])
		}
		tab.adopt(kids)
		for _, a := range kids {
			list[a.line].parent = a.parent
		}
		checkTable(t, &tab, list)
	}
}

// The index of a long conversation must not take more than 16 bytes a message.
func TestTableIsSmall(t *testing.T) {
	const n = 100_000
	ix := newIndex()
	for i := range int32(n) {
		if i%2 == 0 { // what users say has a key
			ix.keys.add(hashText(fmt.Append(nil, i)), i)
		}
		ix.lines.add(span{off: int64(i) * 300, n: 299, parent: i - 1, id: uint32(i), listed: true, hasID: true, usual: true})
	}
	ix.freeIDs()
	if got := float64(ix.weight()) / n; got > 16 {
		t.Errorf("%.1f bytes a message", got)
	}
}

func TestKeySet(t *testing.T) {
	k := &keySet{}
	r := rand.New(rand.NewPCG(1, 2))
	want := map[uint32][]int32{}
	for i := range int32(3000) {
		hash := r.Uint32()
		if i%3 == 0 {
			hash = 0xFFFFFFFF - uint32(i%7) // crowds the last slots, so that probing wraps
		}
		k.add(hash, i)
		want[hash] = append(want[hash], i)
	}
	for hash, lines := range want {
		got := map[int32]bool{}
		for _, line := range k.lines(hash) {
			got[line] = true
		}
		if len(got) != len(lines) || !got[lines[0]] || !got[lines[len(lines)-1]] {
			t.Errorf("%d lines have %x, want %d", len(got), hash, len(lines))
		}
	}
	if got := k.lines(12345); len(got) != 0 {
		t.Errorf("lines %v have an unknown hash", got)
	}
}

func TestIDSetNeverGivesATakenID(t *testing.T) {
	for _, n := range []int{0, 10, 5000} {
		s := newIDSet(n)
		taken := map[string]bool{}
		for i := range uint32(n) {
			s.add(i)
			taken[fmt.Sprintf("%08x", i)] = true
		}
		for !s.full() {
			id := s.newID()
			value, usual := hexID([]byte(id))
			if !usual || taken[id] {
				t.Fatalf("%d ids: %q is new", n, id)
			}
			taken[id] = true
			s.add(value)
		}
		if len(taken) <= n {
			t.Errorf("a set for %d ids takes no more", n)
		}
	}
}
