package disk

import (
	"io"
	"io/fs"
	"os"
)

// File is an open file. It is not safe for concurrent writing.
type File struct {
	*os.File // for reading, Stat, Chmod and Close
	fs       *FS
	path     string
	handle   uint64
	appends  bool
	off      int64 // where the next Write goes, unless the file appends
}

// Open opens a file for reading.
func (r *Root) Open(name string) (*File, error) { return r.OpenFile(name, os.O_RDONLY) }

// OpenFile opens a file; one that it makes has mode 0600.
func (r *Root) OpenFile(name string, flag int) (*File, error) {
	f := &File{fs: r.fs, path: r.path(name), appends: flag&os.O_APPEND != 0}
	open := func() (err error) {
		f.File, err = r.root.OpenFile(name, flag, 0o600)
		return err
	}
	if flag&(os.O_WRONLY|os.O_RDWR) == 0 {
		return f, open()
	}
	if r.fs != nil {
		f.handle = r.fs.handles.Add(1)
	}
	return f, r.fs.do(Op{Kind: Open, Path: f.path, Flag: flag, Handle: f.handle}, open)
}

// Write writes at the end of an appending file, else behind the last Write.
func (f *File) Write(b []byte) (int, error) {
	if f.appends && !f.hooked() {
		return f.File.Write(b)
	}
	off := f.off
	if f.appends {
		info, err := f.Stat()
		if err != nil {
			return 0, err
		}
		off = info.Size()
	}
	n, err := f.write(b, off, len(b))
	f.off = off + int64(n)
	return n, err
}

// WriteAt writes at a place. The file must not have been opened for appending.
func (f *File) WriteAt(b []byte, off int64) (int, error) { return f.write(b, off, len(b)) }

// pageSize is what systems keep a file in at least.
const pageSize = 4096

// WritePages is WriteAt of what will be overwritten piece by piece. The system
// gets it page by page: of what it gets at once it keeps large parts together,
// and each of them counts as written as a whole when a byte of it is.
func (f *File) WritePages(b []byte, off int64) (int, error) { return f.write(b, off, pageSize) }

func (f *File) hooked() bool { return f.fs != nil && f.fs.hook != nil }

// writeParts writes at a place, so many bytes at once, up to a border of theirs.
func (f *File) writeParts(b []byte, off int64, most int) (n int, err error) {
	for err == nil && n < len(b) {
		part := b[n:min(len(b), n+most-int((off+int64(n))%int64(most)))]
		var wrote int
		wrote, err = f.File.WriteAt(part, off+int64(n))
		n += wrote
	}
	return n, err
}

// WriteString is Write of a text.
func (f *File) WriteString(s string) (int, error) { return f.Write([]byte(s)) }

// ReadFrom keeps io.Copy from writing past the hook.
func (f *File) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{f}, r)
}

// write writes at a place, at most so many bytes at once.
func (f *File) write(b []byte, off int64, most int) (n int, err error) {
	act := func(b []byte) (int, error) {
		switch {
		case f.appends:
			return f.File.Write(b)
		case most < len(b):
			return f.writeParts(b, off, most)
		}
		return f.File.WriteAt(b, off)
	}
	if !f.hooked() {
		return act(b)
	}
	allowed, fault := f.fs.hook(Op{Kind: Write, Path: f.path, Handle: f.handle, Off: off, Data: b})
	if fault == nil {
		return act(b)
	}
	if allowed = min(allowed, len(b)); allowed > 0 {
		if n, err = act(b[:allowed]); err != nil {
			return n, err
		}
	}
	return n, &fs.PathError{Op: "write", Path: f.path, Err: fault}
}

// Truncate cuts the file, or makes it longer by zeros.
func (f *File) Truncate(size int64) error {
	return f.fs.do(Op{Kind: Truncate, Path: f.path, Handle: f.handle, Off: size}, func() error { return f.File.Truncate(size) })
}

// Sync makes the content of the file durable, and its size and times.
func (f *File) Sync() error {
	return f.fs.do(Op{Kind: Sync, Path: f.path, Handle: f.handle}, f.File.Sync)
}

// Datasync makes the content of the file durable, and of what is known about
// it only what reading needs.
func (f *File) Datasync() error {
	return f.fs.do(Op{Kind: Sync, Path: f.path, Handle: f.handle}, f.datasync)
}
