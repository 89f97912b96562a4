package upkeep

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"

	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/sessions"
)

// Record says of which session archives are: under which key it stood, and
// what its entry was. Nothing else does once the session is gone or has begun
// anew.
type Record struct {
	Key      string // canonical
	At       int64  // ms
	Reason   string // reset or deleted
	Archives []string
	Entry    sessions.Entry
}

// recordVersion is the version of the form in which records are written.
const recordVersion = 1

// recordsEnd is what the name of a record file has behind that of its store. It
// ends like a journal's: whoever counts or lists the files of sessions leaves
// those out.
const recordsEnd = ".archived.journal"

// Records keeps the records of archives, in a file beside each store (see
// doc/disk.md, The record of archives). It is safe for concurrent use; in a
// process there is one for all stores.
type Records struct {
	disk *disk.FS

	// restoring is held while an archive is restored: two must not take the
	// same one.
	restoring sync.Mutex

	mu    sync.Mutex // guards files
	files map[string]*recordFile
}

// NewRecords makes Records that have opened nothing. fs is nil for the plain
// system.
func NewRecords(fs *disk.FS) *Records {
	return &Records{disk: fs, files: map[string]*recordFile{}}
}

// Add writes records down, durably: they are in the file as a whole, or, with
// an error, not known to be.
func (r *Records) Add(st *sessions.Store, list ...Record) error {
	var text []byte
	for _, rec := range list {
		text = append(rec.line(st.Dir()).AppendJSON(text), '\n')
	}
	if err := r.of(st).add(text); err != nil {
		return fmt.Errorf("record archives in %s: %w", st.Path()+recordsEnd, err)
	}
	return nil
}

// Keys are the keys of the sessions that archives are of, by the paths of the
// archives. Some of these may be gone.
func (r *Records) Keys(st *sessions.Store) (map[string]string, error) {
	f := r.of(st)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.load(); err != nil {
		return nil, fmt.Errorf("read %s: %w", st.Path()+recordsEnd, err)
	}
	out := make(map[string]string, len(f.newest))
	for path, i := range f.newest {
		out[path] = f.lines[i].key
	}
	return out, nil
}

// Find is the record that an archive is in; ok is false when there is none.
func (r *Records) Find(st *sessions.Store, archive string) (rec Record, ok bool, err error) {
	f := r.of(st)
	f.mu.Lock()
	defer f.mu.Unlock()
	if rec, ok, err = f.find(archive); err != nil {
		return Record{}, false, fmt.Errorf("read %s: %w", st.Path()+recordsEnd, err)
	}
	return rec, ok, nil
}

// Tidy writes the file of a store anew without the records whose archives are
// all gone, once these are the most.
func (r *Records) Tidy(st *sessions.Store) error {
	if err := r.of(st).tidy(); err != nil {
		return fmt.Errorf("tidy %s: %w", st.Path()+recordsEnd, err)
	}
	return nil
}

func (r *Records) of(st *sessions.Store) *recordFile {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.files[st.Path()]
	if f == nil {
		f = &recordFile{disk: r.disk, dir: st.Dir(), name: filepath.Base(st.Path()) + recordsEnd}
		r.files[st.Path()] = f
	}
	return f
}

// line is the record as it stands in the file of a store in dir. Archives in
// there go by their names below it, so that the directory may be moved.
func (rec Record) line(dir string) rawjson.Object {
	archives := make([]string, len(rec.Archives))
	for i, path := range rec.Archives {
		archives[i] = path
		if rel, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(rel) {
			archives[i] = filepath.ToSlash(rel)
		}
	}
	var o rawjson.Object
	o.Put("v", recordVersion)
	o.Put("key", rec.Key)
	o.Put("at", rec.At)
	o.Put("reason", rec.Reason)
	o.Put("archives", archives)
	o.Set("entry", rec.Entry.Raw())
	return o
}

// parseRecord reads a line of the file of a store in dir. later is true for one
// that a later version of this program wrote.
func parseRecord(line []byte, dir string) (rec Record, later, ok bool) {
	o, err := rawjson.Parse(line)
	if err != nil {
		return Record{}, false, false
	}
	if v, ok := rawjson.Number(o.Get("v")); !ok || v != recordVersion {
		return Record{}, ok && v > recordVersion, false
	}
	at, _ := rawjson.Number(o.Get("at"))
	rec = Record{Key: o.Text("key"), At: int64(at), Reason: o.Text("reason")}
	names, _ := rawjson.Array(o.Get("archives"))
	for _, n := range names {
		name, _ := rawjson.Text(n)
		if path := filepath.FromSlash(name); filepath.IsAbs(path) {
			rec.Archives = append(rec.Archives, filepath.Clean(path))
		} else if filepath.IsLocal(path) {
			rec.Archives = append(rec.Archives, filepath.Join(dir, path))
		}
	}
	rec.Entry, err = sessions.ParseEntry(o.Get("entry"))
	return rec, false, err == nil && !jstext.Blank(rec.Key) && len(rec.Archives) > 0
}

// recordFile is the file of one store.
type recordFile struct {
	disk      *disk.FS
	dir, name string
	adding    disk.Share[[]byte]

	mu sync.Mutex // guards all below, and is held while the file is written
	// What the lines up to size of the file that info describes say.
	info   fs.FileInfo
	size   int64
	lines  []recordLine
	newest map[string]int // the last line that names an archive, by its path
	// settled is whether the name of the file is durable. suspect is whether
	// lines in it may be in memory only, since a sync has failed: no later sync
	// helps, the file must be written anew.
	settled, suspect bool
}

// recordLine is what is remembered of a line, all of which is in the file only.
type recordLine struct {
	off, n   int64
	key      string
	archives []string
	later    bool // it is of a later version, and stays
}
