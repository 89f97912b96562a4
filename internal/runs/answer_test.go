package runs

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/model"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/transcript"
)

func TestAnswerAsPeopleSeeIt(t *testing.T) {
	for _, tt := range []struct {
		pieces []string
		want   []string // after each piece
		final  string
	}{
		{[]string{"hello ", "you "}, []string{"hello", "hello you"}, "hello you"},
		{[]string{" \n a"}, []string{"a"}, "a"},
		{[]string{"[[reply_to_current]] hi"}, []string{"hi"}, "hi"},
		{[]string{"a [[Audio_As_", "Voice ]]b"}, []string{"a", "a b"}, "a b"},
		{[]string{"a [", "[ reply_to : 5 ]] b"}, []string{"a", "a  b"}, "a  b"},
		{[]string{"a [", "1]"}, []string{"a", "a [1]"}, "a [1]"},
		{[]string{"a [[1], [2]", "]"}, []string{"a", "a [[1], [2]]"}, "a [[1], [2]]"},
		{[]string{"x"}, []string{"x"}, "x"},
		{[]string{"a[[b]] [[reply_to_current]]c ["}, []string{"a[[b]] c"}, "a[[b]] c"},
	} {
		var a answer
		for i, p := range tt.pieces {
			a.add(p)
			if got := a.text(); got != tt.want[i] {
				t.Errorf("%q after piece %d: %q, want %q", tt.pieces, i, got, tt.want[i])
			}
		}
		if got := a.visible(); got != tt.final {
			t.Errorf("%q ends as %q, want %q", tt.pieces, got, tt.final)
		}
		if whole := a.whole.String(); whole != strings.Join(tt.pieces, "") {
			t.Errorf("%q is kept as %q", tt.pieces, whole)
		}
	}
}

func TestMaySilence(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "N": true, "no": true, "NO_REPL": true, "no_repl": true, "NO_REPLY": true,
		"no_reply": false, "NO ": false, "NOP": false, "NO_REPLY!": false, "x": false,
	} {
		if got := maySilence(text); got != want {
			t.Errorf("maySilence(%q) = %v", text, got)
		}
	}
}

func TestChatDeltasKeepTheirDistance(t *testing.T) {
	var a answer
	at := time.UnixMilli(1_000_000)
	for _, tt := range []struct {
		after time.Duration
		text  string
		added string
		chat  *ChatDelta
	}{
		{0, "a", "a", &ChatDelta{Added: "a"}},
		{0, "a b", " b", nil},
		{149 * time.Millisecond, "a b c", " c", nil},
		{150 * time.Millisecond, "a b c d", " d", &ChatDelta{Added: " b c d"}},
		{151 * time.Millisecond, "a b c d", "", nil},
		{299 * time.Millisecond, "a b c d e", " e", nil},
		{time.Second, "a b c d e f", " f", &ChatDelta{Added: " e f"}},
		{2 * time.Second, "other", "other", &ChatDelta{Added: "other", Replace: true}},
		{3 * time.Second, "NO_", "NO_", nil},
	} {
		added, chat, _ := a.piece(tt.text, at.Add(tt.after))
		if d := cmp.Diff(tt.chat, chat); added != tt.added || d != "" {
			t.Errorf("%q after %v: added %q, want %q; chat (-want +got):\n%s", tt.text, tt.after, added, tt.added, d)
		}
	}
}

// However an answer is cut into pieces, people see the same in the end, and on
// the way it only grows.
func FuzzAnswerPieces(f *testing.F) {
	for _, s := range []string{"hello you", "a [[reply_to_current]] b", "[[[[audio_as_voice]]]]", "[[reply_to: a [[ b]] c", " NO_REPLY ", "x [[ y"} {
		f.Add(s, uint8(3))
	}
	f.Fuzz(func(t *testing.T, text string, size uint8) {
		text = strings.ToValidUTF8(text, "?")
		var a answer
		seen := ""
		for rest := []rune(text); len(rest) > 0; {
			n := min(len(rest), int(size)+1)
			a.add(string(rest[:n]))
			rest = rest[n:]
			if now := a.text(); !strings.HasPrefix(now, seen) {
				t.Fatalf("%q became %q", seen, now)
			} else {
				seen = now
			}
		}
		// What is held back is the beginning of a tag, or nothing.
		if got, want := jstext.Trim(a.clean.String()+transcript.StripTags(a.held)), jstext.Trim(transcript.StripTags(text)); got != want {
			t.Fatalf("pieces of %d show %q, want %q", size, got, want)
		}
	})
}

func TestReadMessages(t *testing.T) {
	raw := func(texts ...string) (out []transcript.Told) {
		for i, s := range texts {
			out = append(out, transcript.Told{ID: string(rune('a' + i)), Message: rawjson.Value(s)})
		}
		return out
	}
	got, ids := readMessages(raw(
		`{"role":"compactionSummary","summary":"before"}`,
		`{"role":"user","content":"plain"}`,
		`{"role":"user","content":[{"type":"text","text":"a"},{"type":"image","data":"QUJD","mimeType":"image/png"},{"type":"text","text":"b"}]}`,
		`{"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"x"},{"type":"text","text":"y"}],"stopReason":"stop"}`,
		`{"role":"assistant","content":[{"type":"text","text":"half"}],"stopReason":"error"}`,
		`{"role":"assistant","content":[],"stopReason":"aborted"}`,
		`{"role":"assistant","content":[],"stopReason":"stop"}`,
		`{"role":"toolResult","content":[{"type":"text","text":"no"}]}`,
		`{"role":"custom","customType":"note","content":"noted"}`,
		`not json`,
		`{"role":"user","content":"lone \ud83d half, whole \ud83d\ude00, low \ude00, escaped \\ud83d"}`,
	))
	want := []model.Message{
		{Role: model.User, Text: "Summary of the conversation so far:\n\nbefore", Summary: true},
		{Role: model.User, Text: "plain"},
		{Role: model.User, Text: "a\nb", Images: []model.Image{{MIME: "image/png", Base64: "QUJD"}}},
		{Role: model.Assistant, Text: "xy"},
		{Role: model.User, Text: "noted"},
		{Role: model.User, Text: "lone  half, whole 😀, low , escaped \\ud83d"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("messages (-want +got):\n%s", d)
	}
	if lines := strings.Join(ids, ""); lines != "abcdik" {
		t.Errorf("they stand in the lines %q", lines)
	}
}

// What a fast model says is told in fewer, longer pieces, none of it twice and
// none too late; the first piece is told at once.
func TestFastPiecesAreJoined(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r", "[[every 4ms a b c d e f g h i]]")
		b.ended("r")
		equal(t, "heard", b.heard.of("r"), []string{
			`started r #1`, `said r #2 "a"+"a" chat`, `said r #3 "abcd"+"bcd"`, `said r #4 "abcdefgh"+"efgh"`, `said r #5 "abcdefghi"+"i"`,
			`finished r #6 done "abcdefghi" "" behind`,
		})
	})
}

// Where telling takes long, because many listen, it is done less often.
func TestPiecesWaitForSlowListeners(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		r := &run{e: b.Engine, turn: Turn{RunID: "r"}, lineID: "00000001"}
		r.hear(model.Delta{Text: "a"})
		r.voice.tellTime = 20 * time.Millisecond
		r.hear(model.Delta{Text: "b"})
		time.Sleep(39 * time.Millisecond)
		r.hear(model.Delta{Text: "c"})
		equal(t, "before its time", b.heard.take(), []string{`said r #1 "a"+"a" chat`})
		time.Sleep(time.Millisecond)
		synctest.Wait()
		equal(t, "in time", b.heard.take(), []string{`said r #2 "abc"+"bc"`})
		r.tellRest()
		equal(t, "nothing is left", b.heard.take(), nil)
	})
}
