package auth

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/parleyd/parley/internal/atomicfile"
	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/rawjson"
)

// file is one JSON object on disk, with what was last read of it. It is
// guarded by the mutex of its owner.
type file struct {
	path string
	disk *disk.FS
	log  *slog.Logger

	seen    os.FileInfo    // nil when there was no file
	content rawjson.Object // what the file holds; empty when it does not parse
	corrupt bool           // it does not parse to an object
}

// refresh reads the file again if it is not the one last seen. Another process
// may have written it. A file that does not parse counts as empty.
func (f *file) refresh() error {
	info, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.seen, f.content, f.corrupt = nil, rawjson.Object{}, false
		return nil
	case err != nil:
		return fmt.Errorf("look at the device files: %w", err)
	case f.seen != nil && os.SameFile(f.seen, info) && f.seen.Size() == info.Size() && f.seen.ModTime().Equal(info.ModTime()):
		return nil
	}
	text, err := os.ReadFile(f.path)
	if err != nil {
		return fmt.Errorf("read the device files: %w", err)
	}
	f.seen, f.corrupt = info, false
	f.content, err = rawjson.Parse(text)
	if err != nil && len(bytes.TrimSpace(text)) > 0 {
		f.corrupt = true
		f.log.Error("a device file does not parse and counts as empty", "file", f.path, "err", err)
	}
	return nil
}

// write replaces the file. One that did not parse is kept aside first.
func (f *file) write(content rawjson.Object) error {
	if f.corrupt {
		if err := setAside(f.disk, f.path, f.log); err != nil {
			return err
		}
	}
	text, err := indent(content)
	if err != nil {
		return err
	}
	if err := replace(f.disk, f.path, text); err != nil {
		return fmt.Errorf("write the device files: %w", err)
	}
	info, err := os.Stat(f.path)
	if err != nil {
		info = nil // gone already; the next refresh will see that
	}
	f.seen, f.content, f.corrupt = info, content, false
	return nil
}

// replace replaces a file durably; its directory is made when it is missing.
func replace(files *disk.FS, path string, text []byte) error {
	if err := files.MkdirAll(filepath.Dir(path)); err != nil {
		return err
	}
	root, err := files.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer root.Close()
	return atomicfile.Replace(root, filepath.Base(path), text)
}

// setAside renames a file that does not parse, so that it is not overwritten.
func setAside(files *disk.FS, path string, log *slog.Logger) error {
	aside := path + ".corrupt." + strconv.FormatInt(time.Now().UnixMilli(), 10)
	root, err := files.OpenRoot(filepath.Dir(path))
	if err == nil {
		defer root.Close()
		err = root.Rename(filepath.Base(path), filepath.Base(aside))
	}
	if err != nil {
		return fmt.Errorf("keep aside a device file that does not parse: %w", err)
	}
	log.Error("kept aside a device file that does not parse", "file", path, "kept", aside)
	return nil
}

// indent is the object as JSON, indented by 2, without a final newline.
func indent(o rawjson.Object) ([]byte, error) {
	var b bytes.Buffer
	if err := stdjson.Indent(&b, o.JSON(), "", "  "); err != nil {
		return nil, fmt.Errorf("indent the device files: %w", err)
	}
	return b.Bytes(), nil
}

// texts are the strings of a JSON array; ok is false when v is no array.
func texts(v rawjson.Value) (list []string, ok bool) {
	elements, ok := rawjson.Array(v)
	for _, e := range elements {
		if s, isText := rawjson.Text(e); isText {
			list = append(list, s)
		}
	}
	return list, ok
}

// millis is a time in a file, 0 when it is absent or no number.
func millis(v rawjson.Value) int64 {
	f, _ := rawjson.Number(v)
	return int64(f)
}

// put sets a member to a text, or removes it where the text is empty.
func put(o *rawjson.Object, name, text string) {
	if text == "" {
		o.Delete(name)
		return
	}
	o.Put(name, text)
}
