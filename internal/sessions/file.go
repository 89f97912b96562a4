package sessions

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/parleyd/parley/internal/rawjson"
)

// stamp tells one state of the file from another without reading it. The zero
// stamp is that of a missing file.
type stamp struct {
	mtime time.Time
	size  int64
	inode uint64
}

func stampOf(info fs.FileInfo) stamp {
	s := stamp{mtime: info.ModTime(), size: info.Size()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.inode = st.Ino
	}
	return s
}

func (s stamp) same(t stamp) bool {
	return s.size == t.size && s.inode == t.inode && s.mtime.Equal(t.mtime)
}

// statFile is the stamp of path; a file that is not there is no error.
func statFile(path string) (stamp, error) {
	info, err := os.Stat(path)
	if missing(err) {
		return stamp{}, nil
	}
	if err != nil {
		return stamp{}, err
	}
	return stampOf(info), nil
}

func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// readSnapshot reads the file at path. Content that is no JSON object gives an
// empty snapshot that is marked as damaged; a missing or empty file just an
// empty one.
func readSnapshot(path string, keys Keys, agent string) (*Snapshot, error) {
	v := newSnapshot(keys, agent)
	f, err := os.Open(path)
	if missing(err) {
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	// The stamp is taken before reading: a change in between is then seen at
	// the next look, not lost.
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	v.stamp = stampOf(info)
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	if err := v.parse(data); err != nil {
		empty := newSnapshot(keys, agent)
		empty.stamp, empty.damaged = v.stamp, len(bytes.TrimSpace(data)) > 0
		return empty, nil
	}
	return v, nil
}

// parse takes in the members of a store file.
func (v *Snapshot) parse(data []byte) error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	tok, err := dec.ReadToken()
	if err != nil {
		return err
	}
	if tok.Kind() != '{' {
		return rawjson.ErrNotObject
	}
	v.normal = false
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		key := name.String()
		value, err := dec.ReadValue()
		if err != nil {
			return err
		}
		if err := v.take(key, value); err != nil {
			return err
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("something follows the object")
	}
	return nil
}

// take adds one member as it was read.
func (v *Snapshot) take(key string, value jsontext.Value) error {
	raw, err := rawjson.Compact(rawjson.Value(value))
	if err != nil {
		return err
	}
	if rawjson.Kind(raw) != '{' {
		v.put(key, raw, Entry{})
		return nil
	}
	e := migrate(lazyEntry(raw))
	v.put(key, e.Raw(), e)
	return nil
}

// render is the text of a store file: two-space JSON in file order, without a
// final newline, nothing escaped that JSON does not demand.
func (v *Snapshot) render() []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	v.order.Scan(func(r *record) bool {
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.WriteString("\n  ")
		b.Write(rawjson.AppendString(b.AvailableBuffer(), r.key))
		b.WriteString(": ")
		// The value has been parsed, so indenting it cannot fail.
		_ = json.Indent(&b, r.raw, "  ", "  ")
		return true
	})
	if v.order.Len() > 0 {
		b.WriteByte('\n')
	}
	b.WriteByte('}')
	return b.Bytes()
}

// setAside keeps a damaged file under another name before it is replaced.
func setAside(path string, at time.Time) (string, error) {
	to := fmt.Sprintf("%s.corrupt.%d", path, at.UnixMilli())
	if err := os.Link(path, to); err != nil {
		if err := os.Rename(path, to); err != nil {
			return "", err
		}
	}
	return to, os.Chmod(to, 0o600)
}
