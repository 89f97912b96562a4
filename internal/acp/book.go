package acp

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/parleyd/parley/internal/atomicfile"
	"github.com/parleyd/parley/internal/disk"
)

const (
	bookName    = "acp-sessions.json"
	bookVersion = 1
	// bookLimit is how many talks are remembered, those used last.
	bookLimit = 1000
	// bookDelay is how long a change may wait for others to be written with it.
	bookDelay = time.Second
)

// Book remembers, beyond the end of the gateway, which sessions of which agents
// are those of our sessions. It is one file in the state directory, see
// doc/disk.md. What a crash or a broken disk takes from it is told to the agent
// again: nothing in it is needed.
//
// A nil Book remembers nothing. All methods are safe for concurrent use.
type Book struct {
	// Static after OpenBook.
	disk *disk.FS
	dir  string
	log  *slog.Logger

	saving sync.Mutex // held while the file is written

	mu     sync.Mutex // guards all below
	talks  map[bookKey]kept
	timer  *time.Timer // of the next save; nil when all is saved
	closed bool
}

type bookKey struct{ provider, key string }

type bookFile struct {
	Version  int    `json:"version"`
	Sessions []kept `json:"sessions"`
}

// OpenBook reads the book of a state directory, where there is one. A file that
// cannot be read is as none, and is replaced at the next change.
func OpenBook(fs *disk.FS, stateDir string, log *slog.Logger) *Book {
	b := &Book{disk: fs, dir: stateDir, log: log, talks: map[bookKey]kept{}}
	path := filepath.Join(stateDir, bookName)
	f, err := readBook(path)
	if err != nil {
		log.Warn("the agents' sessions are not known any more; they are told their conversations again", "file", path, "err", err)
	}
	for _, k := range f.Sessions {
		b.talks[bookKey{k.Provider, k.Key}] = k
	}
	return b
}

func readBook(path string) (bookFile, error) {
	var f bookFile
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &f)
	}
	if err == nil && f.Version != bookVersion {
		err = fmt.Errorf("version %d of the file is not known", f.Version)
	}
	if err != nil {
		return bookFile{}, err
	}
	return f, nil
}

func (b *Book) find(provider, key string) (kept, bool) {
	if b == nil {
		return kept{}, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	k, ok := b.talks[bookKey{provider, key}]
	return k, ok
}

func (b *Book) put(k kept) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.talks[bookKey{k.Provider, k.Key}] = k
	if len(b.talks) > bookLimit {
		b.dropOldest()
	}
	b.saveSoon()
}

func (b *Book) drop(provider, key string) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.talks[bookKey{provider, key}]; ok {
		delete(b.talks, bookKey{provider, key})
		b.saveSoon()
	}
}

// dropOldest forgets the talk that was used longest ago. The caller holds the
// mutex.
func (b *Book) dropOldest() {
	var oldest bookKey
	for key, k := range b.talks {
		if o, ok := b.talks[oldest]; !ok || k.UsedAt < o.UsedAt {
			oldest = key
		}
	}
	delete(b.talks, oldest)
}

// saveSoon lets the change be written. The caller holds the mutex.
func (b *Book) saveSoon() {
	if b.timer == nil && !b.closed {
		b.timer = time.AfterFunc(bookDelay, b.save)
	}
}

// Close writes what is not written yet. Nothing is remembered afterwards.
func (b *Book) Close() {
	if b == nil {
		return
	}
	b.mu.Lock()
	unsaved := b.timer != nil
	if unsaved {
		b.timer.Stop()
	}
	b.closed = true
	b.mu.Unlock()
	if unsaved {
		b.save()
	}
	b.saving.Lock() // one that the timer began
	defer b.saving.Unlock()
}

// save writes the book, in the order of use.
func (b *Book) save() {
	b.saving.Lock()
	defer b.saving.Unlock()
	f := bookFile{Version: bookVersion, Sessions: []kept{}}
	b.mu.Lock()
	b.timer = nil
	for _, k := range b.talks {
		f.Sessions = append(f.Sessions, k)
	}
	b.mu.Unlock()
	slices.SortFunc(f.Sessions, func(x, y kept) int { return int(x.UsedAt - y.UsedAt) })
	if err := b.write(f); err != nil {
		b.log.Warn("the agents' sessions could not be written down", "dir", b.dir, "err", err)
	}
}

func (b *Book) write(f bookFile) error {
	data, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	root, err := b.disk.OpenRoot(b.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return atomicfile.Replace(root, bookName, append(data, '\n'))
}
