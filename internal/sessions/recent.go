package sessions

import (
	"slices"
	"time"
)

const (
	// recentTime is how long, at least, a change is remembered after a
	// checkpoint wrote it.
	recentTime = 5 * time.Second
	// staleTime is how long after a checkpoint another program's file may come
	// that was made of what was there before.
	staleTime = time.Second
)

// recent remembers the changes that checkpoints wrote lately. A program without
// a lock may have read the file before a checkpoint and write it after: then
// its file has old values of keys that it did not mean to change.
type recent struct {
	young, old map[string]past
	since      time.Time // of young

	last   time.Time // of the file that the last checkpoint wrote
	locked bool      // that checkpoint still holds the lock file
}

// past is a change that a checkpoint wrote.
type past struct {
	change
	before []string  // hashes of the values that the file had before, the last ones
	at     time.Time // of the checkpoint
}

// add remembers a change that a checkpoint wrote.
func (p *recent) add(c change, at time.Time) {
	if at.Sub(p.since) > recentTime {
		p.old, p.young, p.since = p.young, map[string]past{}, at
	}
	before, ok := p.young[c.key]
	if !ok {
		before = p.old[c.key]
	}
	hashes := append(slices.Clone(before.before), c.was)
	p.last = at
	p.young[c.key] = past{c, hashes[max(0, len(hashes)-8):], at}
}

// reverted are the changes that a file which another program wrote at this time
// has undone unknowingly: the value of a key is one that was there before. That
// a key is not there may be meant, except while the checkpoint that wrote it
// still holds the lock file: who writes then follows no lock.
func (p *recent) reverted(v *Snapshot, at time.Time) []change {
	var out []change
	look := func(c past) {
		r := v.record(c.key)
		there := v.fileHash(r)
		overlaps := p.locked && c.at.Equal(p.last)
		if !c.is(r) && slices.Contains(c.before, there) && at.Sub(c.at) < staleTime && (there != "" || overlaps) {
			c.was = there
			out = append(out, c.change)
		}
	}
	for key, c := range p.old {
		if _, again := p.young[key]; !again {
			look(c)
		}
	}
	for _, c := range p.young {
		look(c)
	}
	return out
}
