package transcript

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// ErrNoLine is returned for a line id that a transcript does not have.
var ErrNoLine = errors.New("the transcript has no such line")

// Fork makes the transcript of the session of to, which must not have one: a
// header of its own that names the file of from, then the lines of that up to
// the one with an id, or all of them when id is "". Behind a line that calls
// tools, or has the result of a call, the results that follow it come along:
// without them other programs misread the call. The lines leave as they are,
// but blank ones. After an error or a crash there is no transcript or a whole
// one.
func (l *Library) Fork(from Ref, id string, to Ref) error {
	s, err := l.open(from)
	if err != nil {
		return err
	}
	defer s.close()
	f, err := l.planFork(s, id, to)
	if err == nil {
		err = l.writeFork(f, to)
	}
	if err != nil {
		return fmt.Errorf("fork transcript %s: %w", from.SessionID, err)
	}
	return nil
}

// fork is what goes into a new transcript.
type fork struct {
	from   *source
	head   rawjson.Value
	behind int64 // the lines that are copied begin behind this place, and
	end    int64 // end before this one
}

func (l *Library) planFork(s *source, id string, to Ref) (fork, error) {
	ix, err := l.index(s)
	if err != nil {
		return fork{}, err
	}
	f := fork{from: s, behind: -1, end: ix.size}
	if id != "" {
		i, err := findLine(s, ix, id)
		if err != nil {
			return fork{}, err
		}
		if i, err = lastResult(s, ix, i); err != nil {
			return fork{}, err
		}
		f.end = ix.lines.off(i) + ix.lines.length(i)
	}
	var old rawjson.Object
	if ix.head.ok {
		f.behind = ix.head.off
		line, err := readSpan(s, span{off: ix.head.off, n: ix.head.n})
		if err != nil {
			return fork{}, err
		}
		if old, err = rawjson.Parse(line); err != nil {
			return fork{}, err
		}
	} else if ix.leaf() >= 0 || ix.size == 0 {
		old.Put("version", Version) // else no line has an id: an old file that lost its header
	}
	f.head = forkHeader(old, to.SessionID, s.place.path())
	return f, nil
}

// forkHeader is the header of a transcript whose lines are of the version that
// the old header says: they are not changed, but by the first that is appended.
func forkHeader(old rawjson.Object, id, parent string) rawjson.Value {
	o, _ := rawjson.Parse(headerLine(id, old.Text("cwd"), time.Now()))
	if v := old.Get("version"); v != nil {
		o.Set("version", v)
	} else {
		o.Delete("version")
	}
	if v, ok := rawjson.Number(old.Get("version")); ok && v >= Version {
		o.Put("parentSession", parent)
	}
	return o.JSON()
}

// writeFork writes the new file.
func (l *Library) writeFork(f fork, to Ref) error {
	p, err := l.target(to)
	if err != nil {
		return err
	}
	if p.info != nil {
		return ErrExists
	}
	root, err := l.openRoot(p)
	if err != nil {
		return err
	}
	defer root.Close()
	defer l.locks.lock(p.key())()
	err = l.replace(root, p, "", func(w io.Writer) error {
		if _, err := w.Write(append(f.head, '\n')); err != nil {
			return err
		}
		return copyLines(newLines(f.from, f.end), w, func(_ int, line rawLine) bool {
			return line.off > f.behind && !line.long && (line.ended || f.whole(line))
		})
	})
	if err == nil {
		return nil
	}
	// The new name may be there and not be durable: nobody knows it yet.
	if rmErr := root.Remove(p.name); rmErr != nil && !errors.Is(rmErr, fs.ErrNotExist) {
		return errors.Join(err, rmErr)
	}
	l.suspects.Delete(p.key())
	return err
}

// whole reports whether the last line that is copied, which nothing ends, is
// more than the torn end of the file.
func (f fork) whole(line rawLine) bool {
	_, parsed := parse(line.text)
	return parsed
}

// findLine is the position of the last line with an id. Usual ids are in the
// index; of others it has a hash, and the line decides.
func findLine(s *source, ix *index, id string) (int, error) {
	want, usual := hexID([]byte(id))
	if !usual {
		want = hashText([]byte(id))
	}
	for i := ix.lines.n - 1; i >= 0; i-- {
		at := ix.lines.at(i)
		if !at.hasID || at.usual != usual || at.id != want {
			continue
		}
		line, err := readSpan(s, at)
		if err != nil {
			return 0, err
		}
		if f, _ := parse(line); text(f.ID) == id {
			return i, nil
		}
	}
	return 0, ErrNoLine
}

// lastResult is the position of the last line that belongs with line i: of the
// results of tool calls that directly follow it, when it is the call or has
// the result of one.
func lastResult(s *source, ix *index, i int) (int, error) {
	var calls []string
	for k := i; k >= 0; k-- {
		m, err := messageAt(s, ix, k)
		if err != nil {
			return 0, err
		}
		if m.Text("role") == "toolResult" {
			continue
		}
		calls = toolCalls(m)
		break
	}
	for ; len(calls) > 0 && i+1 < ix.lines.n; i++ {
		m, err := messageAt(s, ix, i+1)
		if err != nil {
			return 0, err
		}
		if m.Text("role") != "toolResult" || !slices.Contains(calls, m.Text("toolCallId")) {
			break
		}
	}
	return i, nil
}

// messageAt is the message of line i, empty when it has none.
func messageAt(s *source, ix *index, i int) (rawjson.Object, error) {
	line, err := readSpan(s, ix.lines.at(i))
	if err != nil {
		return rawjson.Object{}, err
	}
	m, _ := lineMessage(line)
	return m, nil
}

// toolCalls are the ids of the calls that a message makes.
func toolCalls(m rawjson.Object) (ids []string) {
	parts, _ := rawjson.Array(m.Get("content"))
	for _, part := range parts {
		p, err := rawjson.Parse(part)
		if err == nil && slices.Contains([]string{"toolcall", "tool_call", "tool_use"}, jstext.Lower(p.Text("type"))) {
			ids = append(ids, p.Text("id"))
		}
	}
	return ids
}
