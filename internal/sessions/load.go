package sessions

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
	"github.com/tidwall/btree"

	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/rawjson"
)

// content is what a store file was when it was read.
type content struct {
	stamp stamp
	base  identity
	view  *Snapshot
	open  bool // others than the owner may read or write it
}

// readContent reads the store file at path. Content that is no JSON object
// gives an empty snapshot that is marked as damaged; a missing or empty file
// just an empty one.
func readContent(files *disk.FS, path string, keys Keys, agent string) (*content, error) {
	f, info, err := openStoreFile(files, path)
	if err != nil {
		return nil, err
	}
	if f == nil {
		c, _ := newContent(nil, stamp{}, keys, agent)
		return c, nil
	}
	defer f.Close() // only read
	broken := &reader{src: f}
	c, _ := contentOf(broken, stampOf(info), keys, agent)
	c.open = info.Mode().Perm()&0o077 != 0
	return c, broken.err
}

// newContent is the content of a store file with these bytes; fault is why
// they are damaged.
func newContent(data []byte, at stamp, keys Keys, agent string) (c *content, fault error) {
	return contentOf(&reader{src: bytes.NewReader(data)}, at, keys, agent)
}

func contentOf(r *reader, at stamp, keys Keys, agent string) (c *content, fault error) {
	c = &content{stamp: at}
	c.view, fault = parseStore(r, keys, agent)
	if fault != nil {
		c.view = newSnapshot(keys, agent)
		c.view.damaged = true
		_, _ = io.Copy(io.Discard, r) // for its size and hash; r keeps the error
	}
	c.base = r.identity()
	c.view.stamp = at
	c.view.blank = at != (stamp{}) && !r.text
	return c, fault
}

// reader notes what the store file is that goes through it.
type reader struct {
	src  io.Reader
	err  error // why reading failed
	size int64
	hash xxhash.Digest
	text bool // there is more than white space
}

// Read reads on.
func (r *reader) Read(p []byte) (int, error) {
	if r.size == 0 {
		r.hash.Reset()
	}
	n, err := r.src.Read(p)
	r.size += int64(n)
	_, _ = r.hash.Write(p[:n]) // never fails
	r.text = r.text || len(bytes.TrimSpace(p[:n])) > 0
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// identity is that of what was read.
func (r *reader) identity() identity {
	if r.size == 0 {
		return identity{}
	}
	return identity{r.size, r.hash.Sum64()}
}

// openStoreFile opens a file of the store's directory and describes it as it is
// before it is read: a change in between is then seen at the next look, not lost.
// One that is not there is nothing, without a description.
func openStoreFile(files *disk.FS, path string) (io.ReadCloser, fs.FileInfo, error) {
	root, err := files.OpenRoot(filepath.Dir(path))
	if missing(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	name := filepath.Base(path)
	if info, err := root.Stat(name); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return nil, nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("is no regular file")} // a pipe would wait for ever
	}
	f, err := root.Open(name)
	if missing(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// readStamped reads a whole file as openStoreFile finds it, with its stamp, the zero
// one for no file.
func readStamped(files *disk.FS, path string) ([]byte, stamp, error) {
	f, info, err := openStoreFile(files, path)
	if f == nil || err != nil {
		return nil, stamp{}, err
	}
	defer f.Close() // only read
	var b bytes.Buffer
	b.Grow(int(info.Size()) + bytes.MinRead)
	if _, err := b.ReadFrom(struct{ io.Reader }{f}); err != nil {
		return nil, stamp{}, err
	}
	return b.Bytes(), stampOf(info), nil
}

// parseStore reads the members of a store file. A repeated key keeps its first
// place and takes its last value.
func parseStore(from *reader, keys Keys, agent string) (*Snapshot, error) {
	v := newSnapshot(keys, agent)
	v.changed = new(atomic.Bool)
	var records []*record
	err := rawjson.ReadObject(from, func(name []byte, value rawjson.Value) error {
		r := loadRecord(keys, agent, string(name), bytes.Clone(value), v.changed)
		r.pos = uint64(len(records))
		records = append(records, r)
		return nil
	})
	if err != nil && !from.text && from.err == nil {
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	v.fill(leaveLast(records))
	v.respelt = v.countRespelt()
	return v, nil
}

// leaveLast is records without those whose key comes again later.
func leaveLast(records []*record) []*record {
	seen := make(map[string]bool, len(records))
	var repeated map[string]bool
	for _, r := range records {
		if seen[r.key] {
			if repeated == nil {
				repeated = map[string]bool{}
			}
			repeated[r.key] = true
		}
		seen[r.key] = true
	}
	if repeated == nil {
		return records
	}
	return lastOfEach(records, repeated)
}

// lastOfEach leaves of each repeated key the last value, in the first place.
func lastOfEach(records []*record, repeated map[string]bool) []*record {
	first := map[string]*record{}
	out := records[:0]
	for _, r := range records {
		if !repeated[r.key] {
			out = append(out, r)
			continue
		}
		if f := first[r.key]; f != nil {
			pos := f.pos
			*f = *r
			f.slot.pos = pos
			continue
		}
		first[r.key] = r
		out = append(out, r)
	}
	return out
}

// fill puts records, in the order of their places, into an empty snapshot. The
// indexes are filled in their order, so without searching, and side by side.
func (v *Snapshot) fill(records []*record) {
	var slots, objects []*slot
	var entries []*record
	var byHash []named
	for _, r := range records {
		v.next = r.pos + 1
		slots = append(slots, r.slot)
		if r.object {
			objects = append(objects, r.slot)
			entries = append(entries, r)
			v.zeros += r.zero()
			v.tally(r.slot, 1)
		}
	}
	for _, s := range slots {
		byHash = append(byHash, named{hashKey(s.key), s})
	}
	var work sync.WaitGroup
	by := func(name func(*slot) string, into *btree.BTreeG[*slot]) {
		work.Go(func() {
			some := slices.DeleteFunc(slices.Clone(objects), func(s *slot) bool { return name(s) == "" })
			load(into, some, func(a, b *slot) int { return cmp.Or(cmp.Compare(name(a), name(b)), cmp.Compare(a.pos, b.pos)) })
		})
	}
	by(func(s *slot) string { return s.canon }, v.byCanon)
	by(func(s *slot) string { return s.label }, v.byLabel)
	by(func(s *slot) string { return s.session }, v.bySession)
	by(func(s *slot) string { return s.file }, v.byFile)
	work.Go(func() {
		load(v.order, slices.Clone(records), func(a, b *record) int { return cmp.Compare(a.pos, b.pos) })
		load(v.recent, entries, func(a, b *record) int { return cmp.Or(cmp.Compare(b.updated, a.updated), cmp.Compare(a.pos, b.pos)) })
	})
	work.Go(func() {
		load(v.byKey, byHash, func(a, b named) int { return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.key, b.key)) })
	})
	for _, s := range objects {
		for _, p := range s.parents {
			v.byParent.Set(link{p, s})
		}
	}
	work.Wait()
}

func (v *Snapshot) countRespelt() (n int) {
	var before *slot
	v.byCanon.Scan(func(s *slot) bool {
		if before != nil && before.canon == s.canon {
			n++
		}
		before = s
		return true
	})
	return n
}

// load puts list into an empty tree.
func load[T any](into *btree.BTreeG[T], list []T, compare func(a, b T) int) {
	slices.SortFunc(list, compare)
	for _, x := range list {
		into.Load(x)
	}
}

// loadRecord is the record of a member as it stands in a file; raw is compact.
// changed becomes true when the file is changed.
func loadRecord(keys Keys, agent, key string, raw rawjson.Value, changed *atomic.Bool) *record {
	s := newSlot(agent, key)
	r := &record{slot: s}
	if rawjson.Kind(raw) != '{' {
		r.raw = raw
		return r
	}
	s.object = true
	var spawnedBy, parentKey string
	old := false
	// The text has been checked, so this cannot fail.
	_ = rawjson.Walk(raw, func(name []byte, value rawjson.Value) error {
		switch string(name) {
		case "updatedAt":
			r.updated, r.dated = rawjson.Number(value)
		case "label":
			s.label, _ = rawjson.Text(value)
		case "sessionId":
			s.session, _ = rawjson.Text(value)
		case "sessionFile":
			file, _ := rawjson.Text(value)
			s.file = fileName(file)
		case "spawnedBy":
			spawnedBy, _ = rawjson.Text(value)
		case "parentSessionKey":
			parentKey, _ = rawjson.Text(value)
		case "provider", "lastProvider", "room", "model", "modelProvider", "deliveryContext", "channel", "origin",
			"lastChannel", "lastTo", "lastAccountId", "lastThreadId":
			old = true
		}
		return nil
	})
	s.parents = parents(keys, agent, spawnedBy, parentKey)
	if !old {
		changed = nil
	}
	r.entry = lazyEntry(raw, changed)
	return r
}

// render writes the text of a store file: two-space JSON in file order, without
// a final newline, nothing escaped that JSON does not demand. It returns the
// entries whose written form differs from the one that readers see.
func (v *Snapshot) render(w io.Writer) (unsettled []*record, err error) {
	buf := append(make([]byte, 0, 64<<10), '{')
	end := ""
	v.order.Scan(func(r *record) bool {
		buf = append(append(buf, end...), "\n  "...)
		buf = append(rawjson.AppendString(buf, r.key), ": "...)
		buf = rawjson.AppendIndent(buf, r.text(), 1)
		if r.object && r.entry.e.unsettled() {
			unsettled = append(unsettled, r)
		}
		if len(buf) >= 32<<10 {
			_, err = w.Write(buf)
			buf = buf[:0]
		}
		end = ","
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	if end != "" {
		buf = append(buf, '\n')
	}
	_, err = w.Write(append(buf, '}'))
	return unsettled, err
}
