package upkeep

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/parleyd/parley/internal/atomicfile"
	"github.com/parleyd/parley/internal/disk"
)

// add appends lines, durably. Those who wait together share a write and a sync.
func (f *recordFile) add(text []byte) error {
	return f.adding.Do(text, func(all [][]byte) error { return f.append(bytes.Join(all, nil)) })
}

func (f *recordFile) append(text []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	root, err := f.disk.OpenRoot(f.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if f.suspect {
		return f.rewrite(root, func(recordLine) bool { return true }, text)
	}
	file, err := root.OpenFile(f.name, os.O_RDWR|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return err
	}
	defer file.Close() // synced before
	size, torn, err := ending(file)
	if err != nil {
		return err
	}
	if torn {
		text = append([]byte{'\n'}, text...)
	}
	_, err = file.Write(text)
	if err == nil {
		err = file.Datasync()
	}
	if err != nil {
		f.suspect = true
		return errors.Join(err, file.Truncate(size))
	}
	if f.settled && size > 0 {
		return nil
	}
	err = root.SyncDir(".")
	f.settled, f.suspect = err == nil, err != nil
	return err
}

// ending is the size of a file, and whether its last line was torn by a crash.
func ending(file *disk.File) (size int64, torn bool, err error) {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return 0, false, err
	}
	last := make([]byte, 1)
	if _, err := file.ReadAt(last, info.Size()-1); err != nil {
		return 0, false, err
	}
	return info.Size(), last[0] != '\n', nil
}

// load brings what is known of the file up to date: lines that were appended
// are read, a file that is another one is read as a whole. The caller holds mu.
func (f *recordFile) load() error {
	file, err := f.open()
	if errors.Is(err, fs.ErrNotExist) {
		f.forget()
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if f.info == nil || !os.SameFile(f.info, info) || info.Size() < f.size {
		f.forget()
	}
	in := bufio.NewReader(io.NewSectionReader(file, f.size, info.Size()-f.size))
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			f.info = info
			return nil // what no newline ends was never acknowledged
		}
		if err != nil {
			return err
		}
		f.take(line)
	}
}

func (f *recordFile) open() (*disk.File, error) {
	root, err := f.disk.OpenRoot(f.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Open(f.name)
}

func (f *recordFile) forget() {
	f.info, f.size, f.lines, f.newest = nil, 0, nil, map[string]int{}
}

// take takes in the line that comes next.
func (f *recordFile) take(line []byte) {
	off := f.size
	f.size += int64(len(line))
	text := bytes.TrimSpace(line)
	if len(text) == 0 {
		return
	}
	rec, later, _ := parseRecord(text, f.dir)
	f.lines = append(f.lines, recordLine{off: off, n: int64(len(line)), key: rec.Key, archives: rec.Archives, later: later})
	for _, path := range rec.Archives {
		f.newest[path] = len(f.lines) - 1
	}
}

// find is the record that an archive is in. The caller holds mu.
func (f *recordFile) find(archive string) (Record, bool, error) {
	if err := f.load(); err != nil {
		return Record{}, false, err
	}
	i, ok := f.newest[archive]
	if !ok {
		return Record{}, false, nil
	}
	file, err := f.open()
	if err != nil {
		return Record{}, false, err
	}
	defer file.Close()
	line := make([]byte, f.lines[i].n)
	if _, err := file.ReadAt(line, f.lines[i].off); err != nil {
		return Record{}, false, err
	}
	rec, _, ok := parseRecord(line, f.dir)
	return rec, ok && slices.Contains(rec.Archives, archive), nil
}

// tidy rewrites the file when most of its lines are of no use.
func (f *recordFile) tidy() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.load(); err != nil || len(f.lines) == 0 {
		return err
	}
	root, err := f.disk.OpenRoot(f.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	names, err := root.ReadDir(".")
	if err != nil {
		return err
	}
	here := make(map[string]bool, len(names))
	for _, n := range names {
		here[filepath.Join(f.dir, n.Name())] = true
	}
	alive := make(map[int64]bool, len(f.lines))
	for _, line := range f.lines {
		if line.later || slices.ContainsFunc(line.archives, func(path string) bool { return f.exists(here, path) }) {
			alive[line.off] = true
		}
	}
	if 2*len(alive) >= len(f.lines) {
		return nil
	}
	return f.rewrite(root, func(line recordLine) bool { return alive[line.off] }, nil)
}

// exists reports whether an archive is there; here are the files in the
// directory of the store.
func (f *recordFile) exists(here map[string]bool, path string) bool {
	if filepath.Dir(path) == f.dir {
		return here[path]
	}
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist) // in doubt it is
}

// rewrite replaces the file by some of its lines and what follows them, or
// removes it when nothing is left. The caller holds mu.
func (f *recordFile) rewrite(root *disk.Root, want func(recordLine) bool, more []byte) error {
	if err := f.load(); err != nil {
		return err
	}
	kept := slices.DeleteFunc(slices.Clone(f.lines), func(l recordLine) bool { return !want(l) })
	if len(kept) == 0 && len(more) == 0 {
		f.forget()
		f.settled, f.suspect = false, false
		if err := root.Remove(f.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil // if it comes back, its lines are of no use
	}
	t, err := atomicfile.Create(root, f.name, func(w io.Writer) error { return f.copy(w, kept, more) })
	if err != nil {
		return err
	}
	err = t.Commit()
	f.forget()
	// When only the last step failed, the new file is in place and not durable.
	f.settled, f.suspect = err == nil, err != nil
	return err
}

// copy writes lines of the file, and more behind them.
func (f *recordFile) copy(w io.Writer, lines []recordLine, more []byte) error {
	if len(lines) > 0 {
		file, err := f.open()
		if err != nil {
			return err
		}
		defer file.Close()
		for _, l := range lines {
			if _, err := io.Copy(w, io.NewSectionReader(file, l.off, l.n)); err != nil {
				return err
			}
		}
	}
	_, err := w.Write(more)
	return err
}
