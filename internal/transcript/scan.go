package transcript

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/parleyd/parley/internal/jstext"
)

// maxLine is the longest line that is looked at. A longer one is damage: no
// writer of this format makes it, and one line must not exhaust the memory.
const maxLine = 256 << 20

// minBuffer is what a buffer begins with at least, since it grows by doubling.
const minBuffer = 512

// lines reads a transcript line by line, with a buffer that grows with the
// longest line.
type lines struct {
	r     io.ReaderAt
	size  int64 // bytes to read; what others append meanwhile is not seen
	max   int   // length of the longest line that is looked at
	next  int64 // offset of the first byte that is not in buf
	buf   []byte
	start int   // of the part of buf that no line was made of yet
	off   int64 // offset of that part in the file
}

// rawLine is one line without its end. Text is valid until the next call.
type rawLine struct {
	text  []byte
	off   int64
	n     int  // length, a carriage return included
	ended bool // by a newline
	long  bool // it is longer than is looked at, and text is empty
}

func newLines(r io.ReaderAt, size int64) *lines { return newLinesFrom(r, 0, size, 64<<10) }

// newLinesFrom begins at a place where a line begins.
func newLinesFrom(r io.ReaderAt, off, size int64, buffer int) *lines {
	buffer = int(max(min(int64(buffer), size-off), minBuffer)) // no more than there is
	return &lines{r: r, size: size, max: maxLine, next: off, off: off, buf: make([]byte, 0, buffer)}
}

// line is the next line; ok is false at the end of the file.
func (l *lines) line() (line rawLine, ok bool, err error) {
	searched := l.start
	for {
		if i := bytes.IndexByte(l.buf[searched:], '\n'); i >= 0 {
			return l.take(searched+i, 1), true, nil
		}
		searched = len(l.buf)
		if l.next >= l.size {
			if l.start == len(l.buf) {
				return rawLine{}, false, nil
			}
			return l.take(len(l.buf), 0), true, nil
		}
		if len(l.buf)-l.start > l.max {
			return l.skip()
		}
		moved := l.makeRoom()
		searched -= moved
		if err := l.fill(); err != nil {
			return rawLine{}, false, err
		}
	}
}

// take makes a line of the bytes up to end, which skip bytes follow.
func (l *lines) take(end, skip int) rawLine {
	text := l.buf[l.start:end]
	line := rawLine{text: text, off: l.off, n: len(text), ended: skip > 0}
	if n := len(text); skip > 0 && n > 0 && text[n-1] == '\r' {
		line.text = text[:n-1]
	}
	l.off += int64(end + skip - l.start)
	l.start = end + skip
	return line
}

// makeRoom moves the unused part of buf to its front, or doubles buf when
// there is nothing to gain. It returns by how much the part moved.
func (l *lines) makeRoom() int {
	moved := l.start
	if moved == 0 && len(l.buf) == cap(l.buf) {
		grown := make([]byte, len(l.buf), 2*cap(l.buf))
		copy(grown, l.buf)
		l.buf = grown
		return 0
	}
	l.buf = l.buf[:copy(l.buf, l.buf[l.start:])]
	l.start = 0
	return moved
}

// skip passes over a line that is too long to be held.
func (l *lines) skip() (line rawLine, ok bool, err error) {
	line = rawLine{off: l.off, long: true}
	l.off += int64(len(l.buf) - l.start)
	for {
		l.buf, l.start = l.buf[:0], 0
		if err := l.fill(); err != nil {
			return rawLine{}, false, err
		}
		if len(l.buf) == 0 {
			break
		}
		if i := bytes.IndexByte(l.buf, '\n'); i >= 0 {
			line.ended = true
			l.start = i + 1
			l.off += int64(i) + 1
			return line, true, nil
		}
		l.off += int64(len(l.buf))
	}
	return line, true, nil
}

func (l *lines) fill() error {
	room := min(int64(cap(l.buf)-len(l.buf)), l.size-l.next)
	n, err := l.r.ReadAt(l.buf[len(l.buf):len(l.buf)+int(room)], l.next)
	l.buf = l.buf[:len(l.buf)+n]
	l.next += int64(n)
	if errors.Is(err, io.EOF) {
		// The file became shorter than it was: what is left is all.
		l.size, err = l.next, nil
	}
	return err
}

// errLong is returned where every line must be copied.
var errLong = errors.New("a line is longer than 256 MiB")

// blank reports whether a line has nothing but white space.
func blank(line []byte) bool {
	if len(line) > 0 && line[0] == '{' {
		return false
	}
	for _, c := range line {
		if c > ' ' {
			return c >= utf8.RuneSelf && jstext.Blank(string(line))
		}
	}
	return len(bytes.TrimFunc(line, jstext.IsSpace)) == 0
}

// readable is line as text: a frame that holds it must be valid UTF-8.
func readable(line []byte) []byte { return jstext.ValidUTF8(line) }
