package transcript

import (
	"fmt"
	"io"
	"os"

	"github.com/parleyd/parley/internal/rawjson"
)

// Verify checks what must hold of a transcript that only this package wrote:
// a header first, every line JSON, ids unique, parents there. It returns one
// sentence per fault. The first line after a compaction may name a parent that
// is gone.
func Verify(r io.ReaderAt, size int64) ([]string, error) {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	ids := map[string]bool{}
	in := newLines(r, size)
	for n := 1; ; n++ {
		line, ok, err := in.line()
		if err != nil {
			return faults, err
		}
		if !ok {
			return faults, nil
		}
		if !line.ended {
			fault("line %d does not end", n)
		}
		f, parsed := parse(line.text)
		switch {
		case !parsed || rawjson.Kind(line.text) != '{':
			fault("line %d is no JSON object", n)
			continue
		case n == 1:
			if !f.header() || f.version() != Version {
				fault("line 1 is no header of version %d", Version)
			}
			continue
		}
		id, parent := text(f.ID), text(f.ParentID)
		if id == "" || ids[id] {
			fault("line %d has no id of its own: %q", n, id)
		}
		if parent != "" && len(ids) > 0 && !ids[parent] {
			fault("line %d names a parent that is not before it: %q", n, parent)
		}
		ids[id] = true
	}
}

// VerifyFile is Verify of the file at path.
func VerifyFile(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return Verify(f, info.Size())
}
