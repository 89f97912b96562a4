package transcript

import (
	"bytes"
	"slices"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// How much of a file is looked at for the first and the last words.
const (
	headBytes = 8192
	headLines = 10
	tailBytes = 16384
	tailLines = 20
)

// titles is what a list shows of a transcript's words.
type titles struct {
	firstUser, lastMessage string
}

// Titles is the text of the first user message and of the last message by user
// or assistant, "" where there is none in the part of the file that is looked
// at: the first 8 KiB and 10 lines, the last 16 KiB and 20 lines, or as much
// more as one whole line takes.
func (k *Look) Titles() (firstUser, lastMessage string) {
	if t := seen(k, k.library.titles); t != nil {
		return t.firstUser, t.lastMessage
	}
	return "", ""
}

func (l *Library) titles(p place) (*titles, error) {
	if t := l.cache.titles(p.key(), p.info); t != nil {
		return t, nil
	}
	s, err := l.openAt(p)
	if err != nil {
		return nil, err
	}
	defer s.close()
	t := &titles{}
	if t.firstUser, err = s.firstUser(); err != nil {
		return nil, err
	}
	if t.lastMessage, err = s.lastMessage(); err != nil {
		return nil, err
	}
	l.cache.putTitles(s.key, s.info, t)
	return t, nil
}

func (s *source) firstUser() (string, error) {
	head, err := s.section(0, min(headBytes, s.info.Size()))
	if err != nil {
		return "", err
	}
	for i, line := range bytes.Split(head, []byte{'\n'}) {
		if i == headLines {
			break
		}
		m, ok := lineMessage(line)
		if !ok || m.Text("role") != "user" || interSession(m) {
			continue
		}
		if text := displayText(m.Get("content")); text != "" {
			return text, nil
		}
	}
	return "", nil
}

func (s *source) lastMessage() (string, error) {
	tail, err := s.tail(tailBytes)
	if err != nil {
		return "", err
	}
	for range tailLines {
		line, rest, ok := lastLine(tail)
		if !ok {
			break
		}
		tail = rest
		m, ok := lineMessage(line)
		if !ok || m.Text("role") != "user" && m.Text("role") != "assistant" {
			continue
		}
		if text := displayText(m.Get("content")); text != "" {
			return text, nil
		}
	}
	return "", nil
}

// tail is the last n bytes of the file, or more: as many as hold one whole
// line that is not blank.
func (s *source) tail(n int64) ([]byte, error) {
	for size := s.info.Size(); ; n *= 4 {
		n = min(n, size)
		tail, err := s.section(size-n, n)
		if err != nil || n == size {
			return tail, err
		}
		if i := bytes.IndexByte(tail, '\n'); i >= 0 && !blank(tail[i:]) {
			return tail, nil
		}
	}
}

// lastLine splits off the last line that is not blank.
func lastLine(text []byte) (line, rest []byte, ok bool) {
	for len(text) > 0 {
		i := bytes.LastIndexByte(text, '\n')
		line, text = text[i+1:], text[:max(i, 0)]
		if !blank(line) {
			return line, text, true
		}
	}
	return nil, nil, false
}

// lineMessage is the message object of a line.
func lineMessage(line []byte) (rawjson.Object, bool) {
	f, _ := parse(readable(line))
	if rawjson.Kind(f.Message) != '{' {
		return rawjson.Object{}, false
	}
	m, err := rawjson.Parse(f.Message)
	return m, err == nil
}

// interSession reports whether a message came from another session.
func interSession(m rawjson.Object) bool {
	p, err := rawjson.Parse(m.Get("provenance"))
	return err == nil && p.Text("kind") == "inter_session"
}

// displayText is the text that a message's content shows in a list: the
// content itself or the first part with words, tags and outer space removed.
func displayText(content rawjson.Value) string {
	if s, ok := rawjson.Text(content); ok {
		return jstext.Trim(StripTags(s))
	}
	parts, _ := rawjson.Array(content)
	for _, part := range parts {
		p, err := rawjson.Parse(part)
		if err != nil || !slices.Contains([]string{"text", "output_text", "input_text"}, p.Text("type")) {
			continue
		}
		if s := jstext.Trim(StripTags(p.Text("text"))); s != "" {
			return s
		}
	}
	return ""
}
