package sessions

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/rawjson"
)

// DiskBudget is what the disk budget of a directory comes to, and what was
// done for it.
type DiskBudget struct {
	TotalBytesBefore int64 `json:"totalBytesBefore"`
	TotalBytesAfter  int64 `json:"totalBytesAfter"`
	RemovedFiles     int   `json:"removedFiles"`
	RemovedEntries   int   `json:"removedEntries"`
	FreedBytes       int64 `json:"freedBytes"`
	MaxBytes         int64 `json:"maxBytes"`
	HighWaterBytes   int64 `json:"highWaterBytes"`
	OverBudget       bool  `json:"overBudget"` // before
}

func (b *DiskBudget) free(bytes int64) {
	b.TotalBytesAfter -= bytes
	b.FreedBytes += bytes
}

// left is what is still to be freed.
func (b *DiskBudget) left() int64 { return b.TotalBytesAfter - b.HighWaterBytes }

// effects are how maintenance acts: on the store and the disk, or, to see what
// it would do, on a staged copy of the store and not on the disk.
type effects struct {
	view   func() (*Snapshot, error)
	update func(fn func(*Tx) error) error
	remove func(name string) error // a file in the store's directory
}

func (s *Store) really(ctx context.Context, root *disk.Root) effects {
	return effects{
		view:   s.commits.follow,
		update: func(fn func(*Tx) error) error { return s.submit(&update{ctx: ctx, fn: fn, sweeping: true}) },
		remove: func(name string) error {
			if err := root.Remove(name); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		},
	}
}

func onlyStaged(tx *Tx) effects {
	return effects{
		view:   func() (*Snapshot, error) { return tx.Snapshot, nil },
		update: func(fn func(*Tx) error) error { return fn(tx) },
		remove: func(string) error { return nil },
	}
}

// keepBudget measures the directory and, when it is over its budget and that
// is to be enforced, frees space: archives and transcripts that no entry
// refers to, those that were not changed for longest first; then the least
// recently updated sessions with their transcripts. b is nil without a budget.
func (s *Store) keepBudget(do effects, files []dirFile, now time.Time, enforce bool, stays func(*record) bool) (b *DiskBudget, gone []Removed, err error) {
	if !s.rules().Budget {
		return nil, nil, nil
	}
	v, err := do.view()
	if err != nil {
		return nil, nil, err
	}
	total := s.total(v, files)
	b = &DiskBudget{
		TotalBytesBefore: total, TotalBytesAfter: total, MaxBytes: s.rules().MaxDiskBytes, HighWaterBytes: s.rules().HighWaterBytes,
		OverBudget: total > s.rules().MaxDiskBytes,
	}
	if !b.OverBudget || v.damaged {
		return b, nil, nil
	}
	if !enforce {
		if s.sweeper.budgetWarning.take(now) {
			s.log.Warn("session disk budget exceeded (warn-only mode)", "path", s.Dir(), "bytes", total, "max", b.MaxBytes)
		}
		return b, nil, nil
	}
	err = s.freeSpare(do, b, s.spare(v, files))
	if b.left() > 0 {
		var evictErr error
		gone, evictErr = s.evict(do, b, files, stays)
		err = errors.Join(err, evictErr)
	}
	return b, gone, err
}

// freeSpare deletes files until enough is free.
func (s *Store) freeSpare(do effects, b *DiskBudget, spare []dirFile) error {
	var faults []error
	for _, f := range spare {
		if b.left() <= 0 {
			break
		}
		if err := do.remove(f.name); err != nil {
			faults = append(faults, err)
			continue
		}
		b.RemovedFiles++
		b.free(f.size)
	}
	return errors.Join(faults...)
}

// logBudget tells what was done for the disk budget.
func (s *Store) logBudget(b *DiskBudget) {
	if b == nil || !b.OverBudget {
		return
	}
	s.log.Info("applied session disk budget cleanup", "path", s.Dir(), "files", b.RemovedFiles, "entries", b.RemovedEntries,
		"bytes freed", b.FreedBytes, "bytes", b.TotalBytesAfter, "max", b.MaxBytes)
	if b.left() > 0 {
		s.log.Warn("session disk budget still above high-water target after cleanup", "path", s.Dir(), "bytes", b.TotalBytesAfter, "target", b.HighWaterBytes)
	}
}

// total is what the directory takes: its files, the store as it is written
// next, but not what only we put beside it.
func (s *Store) total(v *Snapshot, files []dirFile) int64 {
	total := storeSize(v)
	for _, f := range files {
		if f.name != filepath.Base(s.path) && !uncounted(f.name) {
			total += f.size
		}
	}
	return total
}

// uncounted reports whether a file is not the sessions' to pay for: what comes
// and goes by itself, and the copies of repairs, which only a person removes.
func uncounted(name string) bool {
	return strings.Contains(name, ".doctor.") || slices.ContainsFunc([]string{".journal", ".flock", ".conflicts"}, func(end string) bool { return strings.HasSuffix(name, end) })
}

// spare are the files that may be deleted for space without touching an entry,
// in that order. While a damaged store or journal lies beside this one,
// transcripts that no entry refers to stay: theirs may be in there.
func (s *Store) spare(v *Snapshot, files []dirFile) []dirFile {
	store := filepath.Base(s.path)
	damaged := slices.ContainsFunc(files, func(f dirFile) bool {
		return strings.HasPrefix(f.name, store+".corrupt.") || strings.HasPrefix(f.name, store+".journal.doctor.")
	})
	views := s.views(v)
	var out []dirFile
	for _, f := range files {
		_, _, archive := archiveName(f.name)
		_, rotated := backupTime(store, f.name)
		if archive || rotated || !damaged && strings.HasSuffix(f.name, ".jsonl") && !views.name(f.name) {
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(a, b dirFile) int { return a.mtime.Compare(b.mtime) })
	return out
}

// views are the contents of all stores of the configuration. Entries of one
// can have their transcripts in the directory of another.
type views []*Snapshot

// views has v as the content of s itself.
func (s *Store) views(v *Snapshot) views {
	out := views{v}
	if s.all == nil {
		return out
	}
	for _, other := range s.all() {
		if other != s {
			out = append(out, other.snapshot())
		}
	}
	return out
}

// name reports whether an entry can have a file of this name as its
// transcript.
func (vs views) name(file string) bool {
	return slices.ContainsFunc(vs, func(v *Snapshot) bool { return v.transcriptUsed(file) })
}

// evict removes sessions, the least recently updated first, until enough is
// free; and the transcripts that nobody needs then.
func (s *Store) evict(do effects, b *DiskBudget, files []dirFile, stays func(*record) bool) ([]Removed, error) {
	sizes := map[string]int64{}
	for _, f := range files {
		sizes[f.name] = f.size
	}
	var gone []Removed
	var names []string
	var freed int64 // in the store file
	err := do.update(func(tx *Tx) error {
		gone, names, freed = s.choose(tx, b.left(), sizes, stays)
		return nil
	})
	if err != nil {
		return nil, err
	}
	b.RemovedEntries = len(gone)
	b.free(freed)
	v, err := do.view()
	faults := []error{err}
	for _, name := range names {
		if err != nil || v.transcriptUsed(name) {
			continue // since then somebody wants it again
		}
		if err := do.remove(name); err != nil {
			faults = append(faults, err)
			continue
		}
		b.RemovedFiles++
		b.free(sizes[name])
	}
	return gone, errors.Join(faults...)
}

// choose removes entries from tx until left bytes would be free. names are the
// files of theirs that no other entry needs, freed is what the store shrinks.
func (s *Store) choose(tx *Tx, left int64, sizes map[string]int64, stays func(*record) bool) (gone []Removed, names []string, freed int64) {
	views := s.views(tx.Snapshot)
	for r := range oldest(tx.recent.Copy()) { // a copy: removing changes what is walked
		if left <= 0 {
			break
		}
		if stays(r) {
			continue
		}
		tx.Delete(r.key)
		gone = append(gone, removedFrom(r, EvictBudget))
		freed += recordSize(r)
		left -= recordSize(r)
		for _, name := range transcriptNames(r.entry) {
			if size, there := sizes[name]; there && !views.name(name) {
				names = append(names, name)
				left -= size
			}
		}
	}
	return gone, names, freed
}

// storeSize is the size of the file that holds v.
func storeSize(v *Snapshot) int64 {
	size := int64(len("{}"))
	v.order.Scan(func(r *record) bool {
		size += recordSize(r)
		return true
	})
	return size // a newline for a comma, after the last record
}

// recordSize is what a record takes in the file, with the comma or newline
// behind it.
func recordSize(r *record) int64 {
	return int64(len("\n  : ,") + len(rawjson.AppendString(nil, r.key)) + indentedSize(r.text()))
}

// indentedSize is the size of compact JSON that is indented by two spaces for
// each level, one level deep itself.
func indentedSize(raw rawjson.Value) int {
	size, depth, text := len(raw), 1, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == ':':
			size++
		case c == ',':
			size += 1 + 2*depth
		case (c == '{' || c == '[') && (raw[i+1] == '}' || raw[i+1] == ']'):
			i++ // an empty one stays on its line
		case c == '{' || c == '[':
			depth++
			size += 1 + 2*depth
		case c == '}' || c == ']':
			depth--
			size += 1 + 2*depth
		}
	}
	return size
}

var sessionIDPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// transcriptNames are the files in the store's own directory that can be the
// transcript of an entry.
func transcriptNames(e Entry) []string {
	var out []string
	if id := strings.TrimSpace(e.SessionID()); sessionIDPattern.MatchString(id) {
		out = append(out, id+".jsonl")
	}
	if file := fileName(e.Text("sessionFile")); file != "" && !slices.Contains(out, file) {
		out = append(out, file)
	}
	return out
}
