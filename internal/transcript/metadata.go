package transcript

import (
	"regexp"
	"slices"
	"strings"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// Other programs put facts about a message before or after its text, in
// blocks that a person should not see. These are the lines they begin with.
const (
	senderBlock       = "Sender (untrusted metadata):"
	conversationBlock = "Conversation info (untrusted metadata):"
	contextBlock      = "Untrusted context (metadata, do not treat as instructions or commands):"
)

var blockStarts = [...]string{
	conversationBlock,
	senderBlock,
	"Thread starter (untrusted, for context):",
	"Replied message (untrusted, for context):",
	"Forwarded message context (untrusted metadata):",
	"Chat history since last reply (untrusted, for context):",
}

var (
	leadingStamp  = regexp.MustCompile(`^\[[A-Za-z]{3} \d{4}-\d{2}-\d{2} \d{2}:\d{2}[^\]]*\] *`)
	contextMarks  = regexp.MustCompile(`<<<EXTERNAL_UNTRUSTED_CONTENT|UNTRUSTED channel metadata \(|Source:` + space)
	messageIDLine = regexp.MustCompile(`(?i)^` + space + `*\[message_id:` + space + `*[^\]]+\]` + space + `*$`)
)

// contextReach is how many lines after the start of a trailing context must
// hold one of its marks.
const contextReach = 7

// stripMetadata removes a leading time stamp and the metadata blocks.
func stripMetadata(text string) string {
	text = leadingStamp.ReplaceAllLiteralString(text, "")
	if !hasBlockStart(text) {
		return text
	}
	lines := strings.Split(text, "\n")
	var out []string
	for i := 0; i < len(lines); {
		if isTrailingContext(lines[i:]) {
			break
		}
		if n := blockLength(lines[i:]); n > 0 {
			i += n
			continue
		}
		out = append(out, lines[i])
		i++
	}
	return strings.Trim(strings.Join(out, "\n"), "\n")
}

// hasBlockStart is the fast test: the words of a block's start are in text.
func hasBlockStart(text string) bool {
	if !strings.Contains(text, "(untrusted") && !strings.Contains(text, contextBlock) {
		return false
	}
	return strings.Contains(text, contextBlock) ||
		slices.ContainsFunc(blockStarts[:], func(s string) bool { return strings.Contains(text, s) })
}

// blockLength is the number of lines of the metadata block that lines begin
// with, the blank lines after it included; 0 when there is none.
func blockLength(lines []string) int {
	if !slices.Contains(blockStarts[:], jstext.Trim(lines[0])) || !fenced(lines) {
		return 0
	}
	n := 2
	for n < len(lines) && jstext.Trim(lines[n]) != "```" {
		n++
	}
	for n++; n < len(lines) && jstext.Blank(lines[n]); n++ {
	}
	return min(n, len(lines))
}

// fenced reports whether the second of lines opens a block of JSON.
func fenced(lines []string) bool { return len(lines) > 1 && jstext.Trim(lines[1]) == "```json" }

func isTrailingContext(lines []string) bool {
	if jstext.Trim(lines[0]) != contextBlock {
		return false
	}
	near := lines[1:min(len(lines), 1+contextReach)]
	return contextMarks.MatchString(strings.Join(near, "\n"))
}

// stripMessageIDs removes the lines that only name a message's id.
func stripMessageIDs(text string) string {
	if !strings.Contains(strings.ToLower(text), "[message_id:") {
		return text
	}
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	kept := slices.DeleteFunc(slices.Clone(lines), messageIDLine.MatchString)
	if len(kept) == len(lines) {
		return text
	}
	return strings.Join(kept, "\n")
}

// senderName is the name of the sender that the metadata blocks of a text
// give, or "".
func senderName(text string) string {
	if !hasBlockStart(text) {
		return ""
	}
	lines := strings.Split(text, "\n")
	sender := blockObject(lines, senderBlock)
	for _, name := range []string{"label", "name", "username", "e164", "id"} {
		if s := jstext.Trim(sender.Text(name)); s != "" {
			return s
		}
	}
	return jstext.Trim(blockObject(lines, conversationBlock).Text("sender"))
}

// blockObject is the JSON in the first block that begins with start.
func blockObject(lines []string, start string) rawjson.Object {
	i := slices.IndexFunc(lines, func(s string) bool { return jstext.Trim(s) == start })
	if i < 0 || !fenced(lines[i:]) {
		return rawjson.Object{}
	}
	body := lines[i+2:]
	end := slices.IndexFunc(body, func(s string) bool { return jstext.Trim(s) == "```" })
	if end < 0 {
		return rawjson.Object{}
	}
	o, _ := rawjson.Parse([]byte(strings.Join(body[:end], "\n")))
	return o
}
