package runs

import (
	"fmt"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/model"
)

// conversationOf is a conversation in short: "u" is a message of the user, "a"
// an answer, "s" a summary, each with so many tokens; "p" is a user's picture.
func conversationOf(text string) (out []model.Message) {
	for _, word := range strings.Fields(text) {
		var kind rune
		var tokens int
		_, _ = fmt.Sscanf(word, "%c%d", &kind, &tokens)
		m := model.Message{Role: model.User, Text: strings.Repeat("x", bytesPerToken*max(tokens-tokensPerMessage, 0))}
		switch kind {
		case 'a':
			m.Role = model.Assistant
		case 's':
			m.Summary = true
		case 'p':
			m.Images = []model.Image{{}}
		}
		out = append(out, m)
	}
	return out
}

func TestFit(t *testing.T) {
	for _, tt := range []struct {
		name, all, system string
		window, answer    int64
		left              int
	}{
		{name: "nothing is known of the window", all: "u1000 a1000 u10"},
		{name: "all fits", all: "u100 a100 u100", window: 400, answer: 100},
		{name: "the oldest turn goes", all: "u100 a100 u100 a100 u100", window: 400, answer: 100, left: 2},
		{name: "an answer goes with its question", all: "u100 a50 u100 a100 u100", window: 460, answer: 100, left: 2},
		{name: "the answer gets a quarter at most", all: "u100 a100 u100", window: 400, answer: 1 << 40},
		{name: "the system prompt takes room", all: "u100 a100 u100", system: strings.Repeat("x", 400), window: 400, answer: 100, left: 2},
		{name: "the last message stays, be it too long", all: "u10 a10 u9000", window: 400, answer: 100, left: 2},
		{name: "alone it stays, too", all: "u9000", window: 400, answer: 100},
		{name: "the summary stays", all: "s100 u100 a100 u100 a50 u50", window: 500, answer: 100, left: 2},
		{name: "a summary that fills the window", all: "s900 u100 a100 u50", window: 500, answer: 100, left: 2},
		{name: "two messages of a user in a row", all: "u100 u100 u100", window: 300, answer: 50, left: 1},
		{name: "pictures take room", all: "p100 a100 u100", window: 1800, answer: 100, left: 2},
		{name: "an answer that comes first and fits", all: "a100 u100", window: 4000},
		{name: "an answer that comes first", all: "a100 u100 a100 u100", window: 450, answer: 100, left: 1},
		{name: "nothing", all: "", window: 100},
	} {
		all := conversationOf(tt.all)
		got, left := fit(model.Turn{System: tt.system, Messages: all}, tt.window, tt.answer)
		if left != tt.left || len(got.Messages) != len(all)-left {
			t.Errorf("%s: %d of %d left out, want %d", tt.name, left, len(all), tt.left)
			continue
		}
		if n := len(all); n > 0 && (got.Messages[len(got.Messages)-1].Text != all[n-1].Text || got.Messages[0].Summary != all[0].Summary || got.Messages[0].Role != model.User && left > 0) {
			t.Errorf("%s: begins with %+v", tt.name, got.Messages[0].Role)
		}
		if len(all) != len(conversationOf(tt.all)) {
			t.Errorf("%s: the conversation given was changed", tt.name)
		}
	}
}

// A session that outgrows the model goes on: the transcript keeps everything, the
// model is told the newest, and the log says so.
func TestRunOfALongConversation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", `{agents: {defaults: {contextTokens: 140}}}`)
		long := strings.Repeat("words and words ", 8) // 32 tokens
		for i := range 4 {
			id := fmt.Sprint("r", i)
			b.send(testKey, id, long+"[[say short]]")
			if o := b.ended(id); o.Failed() {
				t.Fatalf("%s: %+v", id, o)
			}
		}
		if n := len(b.messages(testKey)); n != 8 {
			t.Errorf("the transcript has %d messages, want 8", n)
		}
		if log := b.logged.String(); !strings.Contains(log, "older messages are not told to the model: they do not fit") || !strings.Contains(log, "left=4 told=3 window=140") {
			t.Errorf("the log says nothing of it:\n%s", log)
		}
	})
}
