package runs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/parleyd/parley/internal/atomicfile"
	"github.com/parleyd/parley/internal/disk"
)

// JournalCondition is what the journal of runs in a directory looks like.
type JournalCondition struct {
	Path    string
	Exists  bool
	Damaged []int // lines that cannot be read, counted from 1
	Torn    bool  // the last line does not end: it was never acknowledged
	// Unended are the runs that were accepted and of which no end is noted, in
	// the order of their acceptance.
	Unended []Unended
}

// Unended is a run that was accepted and has not ended.
type Unended struct {
	RunID string
	Key   string // canonical, of the session
	At    int64  // when it was accepted, ms
}

// CheckJournal looks at the journal of runs in a store's directory. It changes
// nothing.
func CheckJournal(dir string) (JournalCondition, error) {
	c := JournalCondition{Path: filepath.Join(dir, journalName)}
	var system *disk.FS
	root, err := system.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("check the journal of runs: %w", err)
	}
	defer root.Close()
	data, err := root.ReadFile(journalName)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("check the journal of runs: %w", err)
	}
	c.Exists = true
	c.Torn = len(data) > 0 && data[len(data)-1] != '\n'
	var all []*past
	all, c.Damaged = parseJournal(data)
	for _, p := range all {
		if p.ended == nil {
			c.Unended = append(c.Unended, Unended{RunID: p.accepted.RunID, Key: p.accepted.Key, At: p.accepted.At})
		}
	}
	return c, nil
}

// MendJournal leaves in a journal the lines that can be read, and keeps it as
// it was under another name, whose path it tells. No engine may have it open.
func MendJournal(dir string) (copies []string, err error) {
	var system *disk.FS
	root, err := system.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("mend the journal of runs: %w", err)
	}
	defer root.Close()
	data, err := root.ReadFile(journalName)
	if err != nil {
		return nil, fmt.Errorf("mend the journal of runs: %w", err)
	}
	kept := fmt.Sprintf("%s.doctor.%d", journalName, time.Now().UnixMilli())
	if err := atomicfile.Replace(root, kept, data); err != nil {
		return nil, err
	}
	var readable []byte
	for line := range bytes.Lines(data) {
		if _, ok := parseLine(bytes.TrimSuffix(line, []byte("\n"))); ok && line[len(line)-1] == '\n' {
			readable = append(readable, line...)
		}
	}
	return []string{filepath.Join(dir, kept)}, atomicfile.Replace(root, journalName, readable)
}
