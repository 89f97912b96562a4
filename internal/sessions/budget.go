package sessions

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// keepBudget frees space when the directory is over the budget: archives and
// transcripts that no entry refers to, oldest first; then the least recently
// updated sessions.
func (s *Store) keepBudget(files []dirFile) error {
	if !s.rules.Budget || size(files) <= s.rules.MaxDiskBytes {
		return nil
	}
	over := size(files) - s.rules.HighWaterBytes
	v := s.snapshot()
	used := v.transcripts()
	spare := slices.DeleteFunc(slices.Clone(files), func(f dirFile) bool { return !s.spare(f.name, used) })
	slices.SortStableFunc(spare, func(a, b dirFile) int { return a.mtime.Compare(b.mtime) })
	var faults []error
	for _, f := range spare {
		if over <= 0 {
			break
		}
		if err := os.Remove(filepath.Join(s.Dir(), f.name)); err != nil {
			faults = append(faults, err)
			continue
		}
		over -= f.size
	}
	if over > 0 {
		left, err := s.evict(over)
		if over = left; err != nil {
			faults = append(faults, err)
		}
	}
	s.log.Info("applied session disk budget cleanup", "path", s.Dir())
	if over > 0 {
		s.log.Warn("session disk budget still above high-water target after cleanup", "path", s.Dir(), "bytes over", over)
	}
	return errors.Join(faults...)
}

// spare reports whether a file may be deleted for space without touching an
// entry.
func (s *Store) spare(name string, used map[string]int) bool {
	if _, _, ok := archiveName(name); ok {
		return true
	}
	if _, ok := backupTime(filepath.Base(s.path), name); ok {
		return true
	}
	return strings.HasSuffix(name, ".jsonl") && used[name] == 0
}

// evict removes sessions with their transcripts, the least recently updated
// first, until over bytes are free; left is what is still missing.
func (s *Store) evict(over int64) (left int64, err error) {
	var gone []Removed
	var files []string
	err = s.Update(context.Background(), func(tx *Tx) error {
		gone, files, left = s.choose(tx, over)
		for _, r := range gone {
			tx.Delete(r.stored)
		}
		return nil
	})
	if err != nil {
		return over, err
	}
	var faults []error
	for _, name := range files {
		if err := os.Remove(filepath.Join(s.Dir(), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			faults = append(faults, err)
		}
	}
	s.hand(gone)
	return left, errors.Join(faults...)
}

// choose picks the entries to evict, and the files that nobody needs then.
func (s *Store) choose(tx *Tx, over int64) (gone []Removed, files []string, left int64) {
	left = over
	used := tx.transcripts()
	for _, r := range tx.oldest(nil) {
		if left <= 0 {
			break
		}
		if s.protected(nil, r) {
			continue
		}
		for _, name := range transcriptNames(r.entry) {
			if used[name]--; used[name] == 0 {
				files = append(files, name)
				left -= fileSize(filepath.Join(s.Dir(), name))
			}
		}
		left -= int64(len(r.key) + len(r.raw))
		gone = append(gone, Removed{Key: r.canon, Entry: r.entry, Discarded: true, stored: r.key})
	}
	return gone, files, left
}

func fileSize(path string) int64 {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return 0
	}
	return info.Size()
}

// transcripts counts, by name, the uses of files in the store's directory.
func (v *Snapshot) transcripts() map[string]int {
	used := map[string]int{}
	for _, e := range v.All() {
		for _, name := range transcriptNames(e) {
			used[name]++
		}
	}
	return used
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
