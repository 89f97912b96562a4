package transcript

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// maxLogText is the longest text of a log line, in UTF-16 units.
const maxLogText = 2000

// LogLine is one message in a session's log.
type LogLine struct {
	Timestamp int64    `json:"timestamp"`
	Role      string   `json:"role"`
	Content   string   `json:"content"`
	Tokens    *float64 `json:"tokens,omitzero"`
	Cost      *float64 `json:"cost,omitzero"`
}

// Logs is the last so many messages of a file by time, with their words and
// what they cost. Messages without words are left out.
func (l *Library) Logs(f UsageFile, prices Prices, limit int) ([]LogLine, error) {
	logs := []LogLine{}
	note := func(s *spend) {
		line := LogLine{Role: s.role, Content: logText(s)}
		if line.Content == "" {
			return
		}
		if !s.at.IsZero() {
			line.Timestamp = s.at.UnixMilli()
		}
		// Only an answer has a price, and only if it says so itself.
		if s.used && s.role == "assistant" && rawjson.Kind(s.message.Get("usage")) == '{' {
			line.Tokens = new(s.total())
			if s.costKnown {
				line.Cost = new(s.cost)
			}
		}
		logs = append(logs, line)
	}
	err := l.readFile(f, func(s *source) error {
		return eachSpend(s, s.info.Size(), prices, []string{"user", "assistant", "tool", "toolResult"}, note)
	})
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", f.place.path(), err)
	}
	slices.SortStableFunc(logs, func(a, b LogLine) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	return logs[max(0, len(logs)-limit):], nil
}

// logText is the words of a message for a log: of a tool's result its name
// first, then the content, then the tools that are called beside it.
func logText(s *spend) string {
	var lines []string
	if s.role == "tool" || s.role == "toolResult" {
		lines = append(lines, "[Tool: "+logTool(s.message)+"]", "[Tool Result]")
	}
	if words, ok := rawjson.Text(s.message.Get("content")); ok {
		lines = append(lines, words)
	}
	lines = append(lines, logParts(s.message.Get("content"))...)
	lines = append(lines, logCalls(s.message)...)
	out := stripAdded(jstext.Trim(strings.Join(lines, "\n")), s.role == "user")
	out = jstext.Trim(out)
	if jstext.Len(out) > maxLogText {
		out = jstext.Cut(out, maxLogText) + "…"
	}
	return out
}

// logTool is the name of the tool whose result a message is.
func logTool(m rawjson.Object) string {
	for _, name := range []string{"toolName", "tool_name", "name", "tool"} {
		if v := m.Get(name); !rawjson.Null(v) {
			return cmp.Or(jstext.Trim(text(v)), "tool")
		}
	}
	return "tool"
}

func logParts(content rawjson.Value) []string {
	list, _ := rawjson.Array(content)
	var out []string
	for _, v := range list {
		if words, ok := rawjson.Text(v); ok {
			out = append(out, words)
		}
		p, _ := rawjson.Parse(v)
		switch p.Text("type") {
		case "text":
			if s := p.Text("text"); s != "" {
				out = append(out, s)
			}
		case "tool_use":
			out = append(out, "[Tool: "+calledName(p.Get("name"))+"]")
		case "tool_result":
			out = append(out, "[Tool Result]")
		}
	}
	return out
}

// logCalls are the tools that a message calls in the manner of chat
// completions, beside its content.
func logCalls(m rawjson.Object) []string {
	calls := first(first(m.Get("tool_calls"), m.Get("toolCalls")), m.Get("function_call"))
	list, ok := rawjson.Array(calls)
	if !ok {
		list = []rawjson.Value{calls}
	}
	var out []string
	for _, v := range list {
		if rawjson.Null(v) {
			continue
		}
		call, _ := rawjson.Parse(v)
		function, _ := rawjson.Parse(call.Get("function"))
		out = append(out, "[Tool: "+calledName(first(call.Get("name"), function.Get("name")))+"]")
	}
	return out
}

func calledName(v rawjson.Value) string {
	if name, ok := rawjson.Text(v); ok {
		return name
	}
	return "unknown"
}
