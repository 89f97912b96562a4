package transcript

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// PreviewLine is one message in a preview.
type PreviewLine struct {
	Role string `json:"role"`
	Text string `json:"text"`
}

// Results of Preview.
const (
	PreviewOK    = "ok"
	PreviewEmpty = "empty"
	PreviewError = "error"
)

// previewWindows are the parts of the end of a file that are tried in turn
// until one holds a message; previewTail is how many lines of it are looked at.
var previewWindows = [...]int64{64 << 10, 256 << 10, 1 << 20}

const previewTail = 200

// Preview is the last so many messages in short form, each of at most
// maxChars UTF-16 units. Messages without anything to show take up a place of
// the limit and are left out.
func (l *Library) Preview(r Ref, limit, maxChars int) (status string, lines []PreviewLine, err error) {
	s, err := l.open(r)
	if errors.Is(err, ErrNotFound) {
		return PreviewEmpty, nil, nil
	}
	if err != nil {
		return PreviewError, nil, err
	}
	defer s.close()
	for _, window := range previewWindows {
		n := min(window, s.info.Size())
		tail, err := s.section(s.info.Size()-n, n)
		if err != nil {
			return PreviewError, nil, err
		}
		messages := recent(tail, limit)
		if len(messages) == 0 && n < s.info.Size() {
			continue
		}
		for _, m := range messages {
			if line, ok := previewLine(m, maxChars); ok {
				lines = append(lines, line)
			}
		}
		break
	}
	if len(lines) == 0 {
		return PreviewEmpty, nil, nil
	}
	return PreviewOK, lines, nil
}

// recent is the last so many message objects in the end of a file.
func recent(tail []byte, limit int) []rawjson.Object {
	var out []rawjson.Object
	for range previewTail {
		line, rest, ok := lastLine(tail)
		if !ok || len(out) == limit {
			break
		}
		tail = rest
		f, _ := parse(readable(line))
		switch rawjson.Kind(f.Message) {
		case '{':
			if m, err := rawjson.Parse(f.Message); err == nil {
				out = append(out, m)
			}
		case '[':
			out = append(out, rawjson.Object{}) // an object to JavaScript
		}
	}
	slices.Reverse(out)
	return out
}

func previewLine(m rawjson.Object, maxChars int) (PreviewLine, bool) {
	parts := objects(m.Get("content"))
	tools := toolNames(m, parts)
	line := PreviewLine{Role: previewRole(m.Text("role"), len(tools) > 0)}
	line.Text = previewText(m, parts)
	if line.Text == "" {
		line.Text = toolSummary(tools)
	}
	if line.Text == "" {
		line.Text = mediaSummary(parts)
	}
	if line.Text == "" {
		return PreviewLine{}, false
	}
	if line.Role == "user" {
		// What was nothing but an envelope stays, as a line without text.
		line.Text = jstext.Trim(stripEnvelope(line.Text))
	}
	if jstext.Len(line.Text) > maxChars {
		line.Text = jstext.Cut(line.Text, max(0, maxChars-3)) + "..."
	}
	return line, true
}

func previewRole(role string, tool bool) string {
	role = jstext.Lower(role)
	switch {
	case tool:
		return "tool"
	case slices.Contains([]string{"user", "assistant", "system", "tool"}, role):
		return role
	}
	return "other"
}

// objects are the objects among the parts of a message's content.
func objects(content rawjson.Value) []rawjson.Object {
	parts, _ := rawjson.Array(content)
	out := make([]rawjson.Object, 0, len(parts))
	for _, part := range parts {
		if o, err := rawjson.Parse(part); err == nil {
			out = append(out, o)
		}
	}
	return out
}

// previewText is the words of a message, from its content or its text.
func previewText(m rawjson.Object, parts []rawjson.Object) string {
	if s, ok := rawjson.Text(m.Get("content")); ok {
		return jstext.Trim(StripTags(s))
	}
	var texts []string
	for _, p := range parts {
		if s := StripTags(p.Text("text")); !jstext.Blank(s) {
			texts = append(texts, s)
		}
	}
	if s := jstext.Trim(strings.Join(texts, "\n")); s != "" {
		return s
	}
	return jstext.Trim(StripTags(m.Text("text")))
}

// toolNames are the names of the tools that a message calls or answers for.
func toolNames(m rawjson.Object, parts []rawjson.Object) []string {
	var out []string
	add := func(name string) {
		if name = jstext.Trim(name); name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	add(text(first(m.Get("toolName"), m.Get("tool_name"))))
	for _, p := range parts {
		if slices.Contains([]string{"toolcall", "tool_call", "tool_use"}, jstext.Lower(p.Text("type"))) {
			add(p.Text("name"))
		}
	}
	return out
}

func toolSummary(tools []string) string {
	switch n := len(tools); {
	case n == 0:
		return ""
	case n > 2:
		return "call " + tools[0] + ", " + tools[1] + " +" + strconv.Itoa(n-2)
	}
	return "call " + strings.Join(tools, ", ")
}

// mediaSummary names the first part that is neither text nor a tool call.
func mediaSummary(parts []rawjson.Object) string {
	for _, p := range parts {
		kind := jstext.Lower(p.Text("type"))
		if kind != "" && kind != "text" && kind != "toolcall" && kind != "tool_call" {
			return "[" + kind + "]"
		}
	}
	return ""
}
