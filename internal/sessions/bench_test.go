package sessions

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/rawjson"
)

// entrySize is about the size of real entries.
const entrySize = 1500

// sized is a store with n entries.
func sized(b *testing.B, n int) *Store {
	b.Helper()
	st := openOne(b, storeOf(n))
	if err := set(b.Context(), st, "agent:main:first", entryOf(b, `{"sessionId":"f"}`)); err != nil {
		b.Fatal(err)
	}
	checkpoint(b, st)
	return st
}

// storeOf is the text of a store file with n entries, as it is written.
func storeOf(n int) string {
	var text strings.Builder
	text.WriteString("{")
	for i := range n {
		if i > 0 {
			text.WriteString(",")
		}
		fmt.Fprintf(&text, "\n  \"agent:main:k%d\": {\n    \"sessionId\": \"s%d\",\n    \"updatedAt\": %d,\n    \"label\": \"l%d\",\n    "+
			"\"deliveryContext\": {\n      \"channel\": \"webchat\"\n    },\n    \"lastChannel\": \"webchat\",\n    \"skillsSnapshot\": {\n      \"prompt\": \"%s\"\n    }\n  }",
			i, i, i, i, strings.Repeat("x", entrySize-150))
	}
	text.WriteString("\n}")
	return text.String()
}

var patches atomic.Int64

// patchOne changes an entry as sessions.patch does.
func patchOne(b *testing.B, st *Store, key string) {
	at := patches.Add(1)
	err := st.Update(b.Context(), func(tx *Tx) error {
		e, ok := tx.Get(key)
		if !ok {
			return fmt.Errorf("no %s", key)
		}
		tx.Put(key, e.With(func(o *rawjson.Object) { o.Put("updatedAt", at) }))
		return nil
	})
	if err != nil {
		b.Error(err)
	}
}

// floor is a bare file to which n writers append in groups.
type floor struct {
	f    *os.File
	mu   sync.Mutex
	next *group
	disk sync.Mutex
	text []byte
	n    int // syncs
}

type group struct {
	lines int
	done  chan struct{}
}

func (f *floor) append(b *testing.B) {
	f.mu.Lock()
	g, first := f.next, false
	if g == nil {
		g, first = &group{done: make(chan struct{})}, true
		f.next = g
	}
	g.lines++
	f.mu.Unlock()
	if !first {
		<-g.done
		return
	}
	f.disk.Lock()
	defer f.disk.Unlock()
	f.mu.Lock()
	f.next = nil
	lines := g.lines
	f.mu.Unlock()
	f.n++
	if _, err := f.f.Write(slices.Repeat(f.text, lines)); err != nil {
		b.Error(err)
	}
	if err := unix.Fdatasync(int(f.f.Fd())); err != nil {
		b.Error(err)
	}
	close(g.done)
}

// BenchmarkDurable compares patches of stores of several sizes with each other
// and with bare appends of as many bytes to a file in the same directory, by
// turns: the disk is never the same for long. It reports medians.
func BenchmarkDurable(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			small, large := sized(b, 100), sized(b, 50_000)
			f, err := os.OpenFile(filepath.Join(large.Dir(), "floor"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			bare := &floor{f: f, text: make([]byte, entrySize+100)}
			const each = 400
			var took [3][]float64
			round := func(act func(i int)) float64 {
				begun := time.Now()
				var wg sync.WaitGroup
				for w := range writers {
					wg.Go(func() {
						for i := w; i < each*min(writers, 16); i += writers {
							act(i)
						}
					})
				}
				wg.Wait()
				return float64(time.Since(begun).Nanoseconds()) / float64(each*min(writers, 16))
			}
			for b.Loop() {
				for i, act := range []func(int){
					func(i int) { patchOne(b, small, fmt.Sprintf("agent:main:k%d", i%100)) },
					func(i int) { patchOne(b, large, fmt.Sprintf("agent:main:k%d", i*101%50_000)) },
					func(int) { bare.append(b) },
				} {
					took[i] = append(took[i], round(act))
				}
			}
			median := func(i int) float64 { slices.Sort(took[i]); return took[i][len(took[i])/2] }
			b.ReportMetric(median(0)/1e3, "µs/patch-of-100")
			b.ReportMetric(median(1)/1e3, "µs/patch-of-50000")
			b.ReportMetric(median(2)/1e3, "µs/floor")
			b.ReportMetric(median(1)/median(0), "large/small")
			b.ReportMetric(median(1)/median(2), "large/floor")
			b.ReportMetric(float64(len(took[2])*each*min(writers, 16))/float64(bare.n), "floor-batch")
		})
	}
}

// counts are the operations that a store did on its files.
type counts struct{ journalBytes, journalSyncs, otherBytes atomic.Int64 }

func (c *counts) hook(op disk.Op) (int, error) {
	journal := strings.HasSuffix(op.Path, ".journal") || strings.Contains(op.Path, ".journal.")
	switch {
	case op.Kind == disk.Write && journal:
		c.journalBytes.Add(int64(len(op.Data)))
	case op.Kind == disk.Write:
		c.otherBytes.Add(int64(len(op.Data)))
	case op.Kind == disk.Sync && journal:
		c.journalSyncs.Add(1)
	}
	return 0, nil
}

// BenchmarkJournal tells what patches write: to the journal, zeros that take
// space in advance included, and by checkpoints.
func BenchmarkJournal(b *testing.B) {
	for _, writers := range []int{1, 64} {
		for _, n := range []int{100, 50_000} {
			b.Run(fmt.Sprintf("writers=%d/entries=%d", writers, n), func(b *testing.B) {
				var c counts
				st := openOn(b, disk.New(c.hook), storeOf(n))
				patchOne(b, st, "agent:main:k0")
				checkpoint(b, st)
				c.journalBytes.Store(0)
				c.journalSyncs.Store(0)
				c.otherBytes.Store(0)
				var done atomic.Int64
				var wg sync.WaitGroup
				b.ResetTimer()
				for range writers {
					wg.Go(func() {
						for i := done.Add(1); i <= int64(b.N); i = done.Add(1) {
							patchOne(b, st, fmt.Sprintf("agent:main:k%d", i*101%int64(n)))
						}
					})
				}
				wg.Wait()
				per := func(x int64) float64 { return float64(x) / float64(b.N) }
				b.ReportMetric(per(c.journalBytes.Load()), "journal-B/patch")
				b.ReportMetric(per(c.journalSyncs.Load()), "syncs/patch")
				b.ReportMetric(per(c.otherBytes.Load()), "checkpoint-B/patch")
			})
		}
	}
}

// BenchmarkPatch is one patch at a time, for profiles and allocations.
func BenchmarkPatch(b *testing.B) {
	for _, n := range []int{100, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			st := sized(b, n)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				patchOne(b, st, fmt.Sprintf("agent:main:k%d", i%n))
			}
		})
	}
}

func BenchmarkFind(b *testing.B) {
	st := sized(b, 5000)
	for b.Loop() {
		_ = st.View(func(v *Snapshot) error {
			if _, _, ok := v.Find("agent:main:k77"); !ok {
				b.Fatal("not found")
			}
			return nil
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, n := range []int{100, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			st := sized(b, n)
			b.SetBytes(st.snapshot().stamp.size)
			for b.Loop() {
				if _, err := readContent(nil, st.path, st.keys, st.agent); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCheckpoint(b *testing.B) {
	for _, n := range []int{100, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			st := sized(b, n)
			b.SetBytes(st.snapshot().stamp.size)
			for b.Loop() {
				patchOne(b, st, "agent:main:k7")
				checkpoint(b, st)
			}
		})
	}
}

// BenchmarkSpace compares what a line costs behind the end of a file with what
// it costs in space that was taken in advance, by turns; it reports medians.
func BenchmarkSpace(b *testing.B) {
	line := make([]byte, entrySize+100)
	var system *disk.FS
	root, err := system.OpenRoot(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer root.Close()
	const each = 200
	round := func(name string, ahead int) float64 {
		f, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt(make([]byte, ahead), 0); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		begun := time.Now()
		for i := range each {
			if _, err := f.WriteAt(line, int64(i*len(line))); err != nil {
				b.Fatal(err)
			}
			if err := f.Datasync(); err != nil {
				b.Fatal(err)
			}
		}
		return float64(time.Since(begun).Microseconds()) / each
	}
	var behind, within []float64
	for b.Loop() {
		behind = append(behind, round("behind", 0))
		within = append(within, round("within", each*len(line)))
	}
	slices.Sort(behind)
	slices.Sort(within)
	b.ReportMetric(behind[len(behind)/2], "µs/behind-the-end")
	b.ReportMetric(within[len(within)/2], "µs/in-taken-space")
}
