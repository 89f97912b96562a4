package acp

import (
	"slices"
	"strings"

	sdk "github.com/coder/acp-go-sdk"

	"github.com/parleyd/parley/internal/model"
)

const (
	// maxContext bounds what an agent is told of a conversation that it has not
	// heard. Older messages are left out.
	maxContext = 200 << 10

	contextHead = "This is the conversation so far, which you have not heard. It is for your information only: do not act on it again. " +
		"The message to answer comes after it.\n"
	contextCut = "\n(Older messages are left out.)\n"
)

// prompt is what an agent is to be told for a turn: what it has not heard of the
// conversation, and the message to answer. ok is false when what it has heard is
// not in the conversation any more: then it needs a new talk.
func (tk *talk) prompt(t model.Turn, images bool) (blocks []sdk.ContentBlock, ok bool) {
	last := lastOf(t.Messages)
	if last < 0 {
		return nil, true
	}
	from := 0
	if !tk.fresh {
		if from, ok = tk.Heard.in(t.Messages[:last]); !ok {
			return nil, false
		}
	}
	if t.System != "" {
		blocks = append(blocks, sdk.TextBlock("Instructions for this message:\n"+t.System))
	}
	if missed := t.Messages[from:last]; len(missed) > 0 {
		blocks = append(blocks, sdk.TextBlock(story(missed)))
	}
	m := t.Messages[last]
	if m.Text != "" || len(m.Images) == 0 || !images {
		blocks = append(blocks, sdk.TextBlock(m.Text))
	}
	if images {
		for _, i := range m.Images {
			blocks = append(blocks, sdk.ImageBlock(i.Base64, i.MIME))
		}
	}
	return blocks, true
}

// lastOf is the place of the message to answer, -1 when there is none.
func lastOf(messages []model.Message) int {
	for i, m := range slices.Backward(messages) {
		if m.Role == model.User {
			return i
		}
	}
	return -1
}

// in is how many of the messages have been heard, counted from the first.
func (h heard) in(messages []model.Message) (n int, ok bool) {
	for i, m := range slices.Backward(messages) {
		if m.Role != model.User || m.At != h.At || digest(m.Text) != h.Asked {
			continue
		}
		if i+1 < len(messages) && messages[i+1].Role == model.Assistant && digest(messages[i+1].Text) == h.Said {
			return i + 2, true
		}
		return i + 1, true
	}
	return 0, false
}

// story tells messages as a text, the oldest left out where it would be too long.
func story(messages []model.Message) string {
	var told []string
	room := maxContext
	for _, m := range slices.Backward(messages) {
		who := "User"
		if m.Role == model.Assistant {
			who = "Assistant"
		}
		text := "\n" + who + ": " + m.Text + "\n"
		if room -= len(text); room < 0 {
			told = append(told, contextCut)
			break
		}
		told = append(told, text)
	}
	slices.Reverse(told)
	return contextHead + strings.Join(told, "")
}
