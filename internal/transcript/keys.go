package transcript

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math/bits"
	"sync"

	"github.com/google/uuid"
)

var keySeed = maphash.MakeSeed()

// hashText shortens a text: an index holds no texts. Whoever finds a hash
// looks at the line.
func hashText(s []byte) uint32 { return uint32(maphash.Bytes(keySeed, s)) }

// keySet finds the lines whose message may have an idempotency key, by the
// hash of the key. It only grows; all indexes of one file share it, and each
// overlooks the lines that it does not cover.
type keySet struct {
	mu    sync.Mutex // guards the rest
	slots []keySlot  // open addressing, linear probing
	n     int
}

type keySlot struct {
	hash uint32
	line int32 // its position, plus 1; 0 for an empty slot
}

func (k *keySet) add(hash uint32, line int32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.n >= len(k.slots)*7/8 {
		k.grow(max(16, len(k.slots)*5/4))
	}
	k.put(keySlot{hash, line + 1})
	k.n++
}

func (k *keySet) grow(n int) {
	old := k.slots
	k.slots = make([]keySlot, n)
	for _, s := range old {
		if s.line != 0 {
			k.put(s)
		}
	}
}

// slot is where a hash belongs: the slots are its value range in equal parts.
func (k *keySet) slot(hash uint32) int {
	hi, _ := bits.Mul32(hash, uint32(len(k.slots)))
	return int(hi)
}

func (k *keySet) put(s keySlot) {
	i := k.slot(s.hash)
	for k.slots[i].line != 0 {
		if i++; i == len(k.slots) {
			i = 0
		}
	}
	k.slots[i] = s
}

// lines are the positions of the lines with this hash.
func (k *keySet) lines(hash uint32) (out []int32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.n == 0 {
		return nil
	}
	for i := k.slot(hash); k.slots[i].line != 0; {
		if k.slots[i].hash == hash {
			out = append(out, k.slots[i].line-1)
		}
		if i++; i == len(k.slots) {
			i = 0
		}
	}
	return out
}

// join adds the lines of o, moved by so many positions.
func (k *keySet) join(o *keySet, by int32) {
	// Slots come in the order of their hashes: in a table that only grows by and
	// by they would all crowd at its front.
	k.grow(max(16, (k.n+o.n)*5/4))
	for _, s := range o.slots {
		if s.line != 0 {
			k.add(s.hash, s.line-1+by)
		}
	}
}

func (k *keySet) size() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.slots) * 8
}

// idSet tells which ids of the usual form are free. It may take a free one for
// taken, never the other way round: a new id is one of many. The writer of a
// file alone uses it.
type idSet struct {
	bits []uint64
	n    int // ids in it
}

// newIDSet is a set with room for at least so many ids.
func newIDSet(n int) *idSet {
	words := 16
	for words*16 < n {
		words *= 2
	}
	return &idSet{bits: make([]uint64, words)}
}

// full reports whether too few ids would be found free.
func (s *idSet) full() bool { return s.n > len(s.bits)*32 }

func (s *idSet) place(id uint32) (word int, bit uint64) {
	// Ids that count up must not fall into one word.
	h := id * 0x9E3779B1 >> (32 - bits.TrailingZeros(uint(len(s.bits)*64)))
	return int(h / 64), 1 << (h % 64)
}

func (s *idSet) add(id uint32) {
	w, b := s.place(id)
	s.bits[w] |= b
	s.n++
}

func (s *idSet) has(id uint32) bool {
	w, b := s.place(id)
	return s.bits[w]&b != 0
}

// newID is an id that is not in the set.
func (s *idSet) newID() string {
	for range 100 {
		var b [4]byte
		rand.Read(b[:])
		if n := binary.BigEndian.Uint32(b[:]); !s.has(n) {
			return fmt.Sprintf("%08x", n)
		}
	}
	return uuid.NewString()
}
