package sessions

import (
	"bytes"
	"cmp"
	"io"
	"slices"

	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/rawjson"
)

// content is what a store file was when it was read.
type content struct {
	stamp stamp
	base  identity
	view  *Snapshot
}

// readContent reads the store file at path. Content that is no JSON object
// gives an empty snapshot that is marked as damaged; a missing or empty file
// just an empty one.
func readContent(files *disk.FS, path string, keys Keys, agent string) (*content, error) {
	data, at, err := readStamped(files, path)
	if err != nil {
		return nil, err
	}
	c, _ := newContent(data, at, keys, agent)
	return c, nil
}

// newContent is the content of a store file with these bytes; fault is why
// they are damaged.
func newContent(data []byte, at stamp, keys Keys, agent string) (c *content, fault error) {
	c = &content{stamp: at, base: identify(data)}
	c.view, fault = parseStore(data, keys, agent)
	if fault != nil {
		c.view = newSnapshot(keys, agent)
		c.view.damaged = true
	}
	c.view.stamp = at
	c.view.blank = at != (stamp{}) && len(bytes.TrimSpace(data)) == 0
	return c, fault
}

// readStamped reads a file of the store's directory with its stamp; one that is
// not there is nothing, with the zero stamp.
func readStamped(files *disk.FS, path string) ([]byte, stamp, error) {
	dir, name := splitPath(path)
	root, err := files.OpenRoot(dir)
	if missing(err) {
		return nil, stamp{}, nil
	}
	if err != nil {
		return nil, stamp{}, err
	}
	defer root.Close()
	f, err := root.Open(name)
	if missing(err) {
		return nil, stamp{}, nil
	}
	if err != nil {
		return nil, stamp{}, err
	}
	defer f.Close() // only read
	// The stamp is taken before reading: a change in between is then seen at
	// the next look, not lost.
	info, err := f.Stat()
	if err != nil {
		return nil, stamp{}, err
	}
	var b bytes.Buffer
	b.Grow(int(info.Size()) + bytes.MinRead)
	if _, err := b.ReadFrom(struct{ io.Reader }{f}); err != nil {
		return nil, stamp{}, err
	}
	return b.Bytes(), stampOf(info), nil
}

// parseStore reads the members of a store file. A repeated key keeps its first
// place and takes its last value.
func parseStore(data []byte, keys Keys, agent string) (*Snapshot, error) {
	v := newSnapshot(keys, agent)
	if len(bytes.TrimSpace(data)) == 0 {
		return v, nil
	}
	var records []*record
	var repeated map[string]int
	_, err := rawjson.CompactObject(make([]byte, 0, len(data)), data, func(name []byte, value rawjson.Value) error {
		// A copy: one entry must not keep the memory of the whole file.
		r := loadRecord(keys, agent, string(name), bytes.Clone(value))
		r.pos = uint64(len(records))
		records = append(records, r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	byKey := slices.Clone(records)
	slices.SortFunc(byKey, func(a, b *record) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.pos, b.pos)) })
	for i := 1; i < len(byKey); i++ {
		if byKey[i].key == byKey[i-1].key {
			if repeated == nil {
				repeated = map[string]int{}
			}
			repeated[byKey[i].key]++
		}
	}
	if repeated != nil {
		records = lastOfEach(records, repeated)
	}
	v.fill(records)
	return v, nil
}

// lastOfEach leaves of each repeated key the last value, in the first place.
func lastOfEach(records []*record, repeated map[string]int) []*record {
	first := map[string]*record{}
	out := records[:0]
	for _, r := range records {
		if _, ok := repeated[r.key]; !ok {
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

// fill puts records, in the order of their places, into an empty snapshot. An
// index that is filled in its order is built without searching.
func (v *Snapshot) fill(records []*record) {
	var slots []*slot
	var dated []*record
	for _, r := range records {
		v.order.Load(r)
		v.next = r.pos + 1
		slots = append(slots, r.slot)
		if r.object {
			dated = append(dated, r)
			v.zeros += r.zero()
		}
	}
	load(v.recent, dated, func(a, b *record) int { return cmp.Or(cmp.Compare(b.updated, a.updated), cmp.Compare(a.pos, b.pos)) })
	load(v.byKey, slots, func(a, b *slot) int { return cmp.Compare(a.key, b.key) })
	slots = slices.DeleteFunc(slots, func(s *slot) bool { return !s.object })
	by := func(name func(*slot) string, into interface{ Load(*slot) (*slot, bool) }) {
		some := slices.DeleteFunc(slices.Clone(slots), func(s *slot) bool { return name(s) == "" })
		slices.SortFunc(some, func(a, b *slot) int { return cmp.Or(cmp.Compare(name(a), name(b)), cmp.Compare(a.pos, b.pos)) })
		for _, s := range some {
			into.Load(s)
		}
	}
	by(func(s *slot) string { return s.canon }, v.byCanon)
	by(func(s *slot) string { return s.label }, v.byLabel)
	by(func(s *slot) string { return s.session }, v.bySession)
	by(func(s *slot) string { return s.file }, v.byFile)
	for _, s := range slots {
		for _, p := range s.parents {
			v.byParent.Set(link{p, s})
		}
	}
}

// load puts list into an empty tree.
func load[T any](into interface{ Load(T) (T, bool) }, list []T, compare func(a, b T) int) {
	slices.SortFunc(list, compare)
	for _, x := range list {
		into.Load(x)
	}
}

// loadRecord is the record of a member as it stands in a file; raw is compact.
func loadRecord(keys Keys, agent, key string, raw rawjson.Value) *record {
	s := &slot{key: key, canon: stored(key, agent)}
	r := &record{slot: s}
	if rawjson.Kind(raw) != '{' {
		r.raw = raw
		return r
	}
	s.object = true
	var spawnedBy, parentKey string
	loose := false
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
			loose = true
		}
		return nil
	})
	s.parents = parents(keys, agent, spawnedBy, parentKey)
	r.entry = lazyEntry(raw, loose)
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
