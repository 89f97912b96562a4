package transcript

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// maxText is the longest text of a message in a history, in UTF-16 units.
const maxText = 12000

const truncated = "\n...(truncated)..."

var silent = regexp.MustCompile(`^` + space + `*NO_REPLY` + space + `*$`)

// clean is a message as people should see it: without metadata that programs
// added, directive tags, bulk and bookkeeping. Members that no rule names stay
// as they are, in their order.
func clean(raw rawjson.Value) rawjson.Value {
	o, err := rawjson.Parse(raw)
	if err != nil {
		return raw
	}
	cleanObject(&o, asShown(o.Get("content")))
	return o.JSON()
}

// cleanObject is clean; asIs says that the content stays as it is.
func cleanObject(o *rawjson.Object, asIs bool) {
	user := jstext.Lower(o.Text("role")) == "user"
	if user {
		name := jstext.Trim(o.Text("senderLabel"))
		if name == "" && !asIs {
			name = sender(*o)
		}
		if name != "" {
			setText(o, "senderLabel", name)
		}
	}
	if !asIs {
		editTexts(o, func(s string) string { return stripAdded(s, user) })
	}
	o.Delete("details")
	cleanUsage(o)
	cleanText(o, "text")
	switch {
	case asIs:
	case rawjson.Kind(o.Get("content")) == '[':
		mapBlocks(o, cleanBlock)
	default:
		cleanText(o, "content")
	}
}

// dirt is what all that is ever removed from a content has something of, the
// brackets of tags, stamps and envelopes and the length of a text aside; and the
// escape by which it could be spelled otherwise.
var dirt = [...][]byte{
	[]byte(`\u`), []byte("ntrusted"), []byte("thinkingSignature"), []byte(`"data"`),
}

// asShown reports whether a content, a text or a list, is certainly as people should
// see it. Most are, and to look at the bytes costs less than to take them apart.
func asShown(content rawjson.Value) bool {
	if len(content) == 0 || len(content) > maxText || content[0] != '"' && content[0] != '[' {
		return false
	}
	if bytes.IndexByte(content[1:], '[') >= 0 {
		return false
	}
	for _, d := range dirt {
		if bytes.Contains(content, d) {
			return false
		}
	}
	return true
}

// sender is who sent a user message without a label, as its metadata say.
func sender(o rawjson.Object) string {
	name := ""
	editTexts(&o, func(s string) string {
		if name == "" {
			name = senderName(s)
		}
		return s
	})
	return name
}

// stripAdded removes from a text what programs put around it.
func stripAdded(s string, user bool) string {
	s = stripMetadata(s)
	if user {
		s = stripMessageIDs(stripEnvelope(s))
	}
	return s
}

// editTexts changes the words of a message: the content when it is a text, its
// text parts when it is a list, the member text when it is neither.
func editTexts(o *rawjson.Object, edit func(string) string) {
	switch rawjson.Kind(o.Get("content")) {
	case '"':
		editText(o, "content", edit)
	case '[':
		mapBlocks(o, func(b *rawjson.Object) {
			if b.Text("type") == "text" {
				editText(b, "text", edit)
			}
		})
	default:
		editText(o, "text", edit)
	}
}

// editText changes one member that is a text. Its spelling stays when edit
// changes nothing.
func editText(o *rawjson.Object, name string, edit func(string) string) {
	s, ok := rawjson.Text(o.Get(name))
	if !ok {
		return
	}
	setText(o, name, edit(s))
}

// setText sets a text member, keeping its spelling when it says the same.
func setText(o *rawjson.Object, name, s string) {
	if old, ok := rawjson.Text(o.Get(name)); ok && old == s {
		return
	}
	o.Set(name, rawjson.AppendString(nil, s))
}

// mapBlocks changes the objects in a message's content.
func mapBlocks(o *rawjson.Object, change func(*rawjson.Object)) {
	parts, ok := rawjson.Array(o.Get("content"))
	if !ok {
		return
	}
	out := []byte{'['}
	for i, part := range parts {
		if i > 0 {
			out = append(out, ',')
		}
		b, err := rawjson.Parse(part)
		if err != nil {
			out = append(out, part...)
			continue
		}
		change(&b)
		out = b.AppendJSON(out)
	}
	o.Set("content", append(out, ']'))
}

func cleanBlock(b *rawjson.Object) {
	cleanText(b, "text")
	for _, name := range []string{"thinking", "partialJson", "arguments"} {
		editText(b, name, shorten)
	}
	b.Delete("thinkingSignature")
	if data, ok := rawjson.Text(b.Get("data")); ok && b.Text("type") == "image" {
		b.Delete("data")
		b.Put("omitted", true)
		b.Put("bytes", len(data))
	}
}

// cleanText removes tags from a member that people read, and shortens it.
func cleanText(o *rawjson.Object, name string) {
	editText(o, name, func(s string) string { return shorten(StripTags(s)) })
}

func shorten(s string) string {
	// A text of so few bytes cannot have more UTF-16 units.
	if len(s) <= maxText || jstext.Len(s) <= maxText {
		return s
	}
	return jstext.Cut(s, maxText) + truncated
}

var usageNames = [...]string{
	"input", "output", "totalTokens", "inputTokens", "outputTokens", "cacheRead", "cacheWrite",
	"cache_read_input_tokens", "cache_creation_input_tokens",
}

// cleanUsage keeps the known numbers of an answer's usage and cost, and drops
// both from every other message.
func cleanUsage(o *rawjson.Object) {
	if o.Text("role") != "assistant" {
		o.Delete("usage", "cost")
		return
	}
	replaceOrDelete(o, "usage", func(old rawjson.Object) rawjson.Object {
		kept := numbers(old, usageNames[:]...)
		replaceOrDelete(&old, "cost", totalOnly)
		if c := old.Get("cost"); c != nil {
			kept.Set("cost", c)
		}
		return kept
	})
	replaceOrDelete(o, "cost", totalOnly)
}

func totalOnly(cost rawjson.Object) rawjson.Object { return numbers(cost, "total") }

// replaceOrDelete changes an object member; what ends up empty, or was no
// object, goes.
func replaceOrDelete(o *rawjson.Object, name string, change func(rawjson.Object) rawjson.Object) {
	old, err := rawjson.Parse(o.Get(name))
	if err != nil {
		o.Delete(name)
		return
	}
	if kept := change(old); kept.Len() > 0 {
		o.Set(name, kept.JSON())
	} else {
		o.Delete(name)
	}
}

// numbers is the named members of o that are finite numbers, in this order.
func numbers(o rawjson.Object, names ...string) rawjson.Object {
	var out rawjson.Object
	for _, name := range names {
		if v := o.Get(name); v != nil {
			if _, ok := rawjson.Number(v); ok {
				out.Set(name, v)
			}
		}
	}
	return out
}

// isSilent reports whether a cleaned message is an assistant's way to say
// nothing.
func isSilent(raw rawjson.Value) bool {
	if !bytes.Contains(raw, []byte("NO_REPLY")) && !bytes.Contains(raw, []byte(`\u`)) {
		return false
	}
	o, err := rawjson.Parse(raw)
	if err != nil || o.Text("role") != "assistant" {
		return false
	}
	for _, name := range []string{"text", "content"} {
		if s, ok := rawjson.Text(o.Get(name)); ok {
			return silent.MatchString(s)
		}
	}
	parts, _ := rawjson.Array(o.Get("content"))
	texts := make([]string, 0, len(parts))
	for _, part := range parts {
		b, err := rawjson.Parse(part)
		s, ok := rawjson.Text(b.Get("text"))
		if err != nil || !ok || b.Text("type") != "text" {
			return false
		}
		texts = append(texts, s)
	}
	return silent.MatchString(strings.Join(texts, "\n"))
}
