package transcript

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPreviewLine(t *testing.T) {
	tests := []struct {
		message string
		want    PreviewLine // without text: no line
	}{
		{`{"role":"user","content":"Hello  there"}`, PreviewLine{"user", "Hello  there"}},
		{`{"role":"assistant","content":[{"type":"thinking","thinking":"hmm"},{"type":"text","text":"Hi "},{"type":"x","text":"again"},{"text":" "}]}`, PreviewLine{"assistant", "Hi \nagain"}},
		{`{"role":"assistant","content":[{"type":"toolCall","name":" read "},{"type":"TOOLCALL","name":"read"}]}`, PreviewLine{"tool", "call read"}},
		{`{"role":"toolResult","content":[{"type":"text","text":"body"}],"toolName":"read"}`, PreviewLine{"tool", "body"}},
		{`{"role":"toolResult","content":[],"tool_name":"read"}`, PreviewLine{"tool", "call read"}},
		{`{"role":"toolResult","content":[],"toolName":null,"tool_name":"read"}`, PreviewLine{"tool", "call read"}},
		{`{"role":"toolResult","content":[{"type":"text","text":"body"}],"toolName":" ","tool_name":"read"}`, PreviewLine{"other", "body"}},
		{`{"content":[{"type":"tool_use","name":"a"},{"type":"tool_call","name":"b"},{"type":"toolCall","name":"c"},{"type":"toolCall","name":"d"}]}`, PreviewLine{"tool", "call a, b +2"}},
		{`{"role":"User","content":[{"type":"Image"}]}`, PreviewLine{"user", "[image]"}},
		{`{"role":"weird","content":"odd"}`, PreviewLine{"other", "odd"}},
		{`{"role":"user","content":""}`, PreviewLine{}},
		{`{"role":"user","content":"","text":"not this"}`, PreviewLine{}},
		{`{"role":"assistant","text":"text field"}`, PreviewLine{"assistant", "text field"}},
		{`{"role":"user","content":"[WebChat user] enveloped"}`, PreviewLine{"user", "enveloped"}},
		{`{"role":"user","content":"[Sun 2026-01-04 10:00 UTC] stamped"}`, PreviewLine{"user", "stamped"}},
		{`{"role":"user","content":"[x 2026-01-04T10:00Z]\n stamped"}`, PreviewLine{"user", "stamped"}},
		{`{"role":"user","content":"[Slack x]"}`, PreviewLine{"user", ""}},
		{`{"role":"user","content":"","toolName":"","tool_name":"not this"}`, PreviewLine{}},
		{`{"role":"user","content":"","toolName":null,"tool_name":" exec "}`, PreviewLine{"tool", "call exec"}},
		{`{"role":"assistant","content":"[WebChat user] kept"}`, PreviewLine{"assistant", "[WebChat user] kept"}},
		{`{"role":"user","content":"[note] kept"}`, PreviewLine{"user", "[note] kept"}},
		{`{"role":"user","content":"[[reply_to: 5 ]]1234567890123456789012"}`, PreviewLine{"user", "12345678901234567..."}},
		{`{"role":"user","content":"12345678901234567890"}`, PreviewLine{"user", "12345678901234567890"}},
		{`{"role":"user","content":"1234567890123456😀xyz"}`, PreviewLine{"user", "1234567890123456..."}},
	}
	for _, tt := range tests {
		m, _ := lineMessage([]byte(`{"message":` + tt.message + `}`))
		got, ok := previewLine(m, 20)
		if diff := cmp.Diff(tt.want, got); diff != "" || ok != (tt.want != PreviewLine{}) {
			t.Errorf("%s: ok = %v, %s", tt.message, ok, diff)
		}
	}
}

func TestPreviewWindow(t *testing.T) {
	user := func(s string) string { return fmt.Sprintf(`{"message":{"role":"user","content":%q}}`, s) }
	filler := strings.Repeat("x", 30_000)
	tests := []struct {
		name  string
		lines []string
		limit int
		want  []string
	}{
		{"limit", []string{user("a"), user("b"), user("c")}, 2, []string{"b", "c"}},
		{"nothing to show takes a place", []string{user("a"), user("b"), user(""), `{"message":[1]}`}, 3, []string{"b"}},
		{"compactions and broken lines do not", []string{user("a"), `{"type":"compaction"}`, "{", `{"message":"text"}`}, 1, []string{"a"}},
		{"256 KiB", append([]string{user("far")}, strings.Split(strings.Repeat(filler+"|", 5), "|")...), 3, []string{"far"}},
		{"within 64 KiB the far one is not seen", []string{user("far"), filler, filler, filler, user("near")}, 3, []string{"near"}},
		{"200 lines", append(append([]string{user("far")}, strings.Split(strings.Repeat("{|", 199), "|")...), user("near")), 3, []string{"near"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			f.write(t, "s.jsonl", append([]string{testHeader}, tt.lines...)...)
			status, lines, err := f.Preview(f.ref("s"), tt.limit, 240)
			got := []string{}
			for _, l := range lines {
				got = append(got, l.Text)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || status != PreviewOK || err != nil {
				t.Errorf("status %s, %v: %s", status, err, diff)
			}
		})
	}
	f := newFixture(t)
	f.write(t, "s.jsonl", testHeader)
	for _, id := range []string{"s", "absent", "../bad"} {
		if status, lines, err := f.Preview(f.ref(id), 5, 240); status != PreviewEmpty || lines != nil || err != nil {
			t.Errorf("%s: %s, %v, %v", id, status, lines, err)
		}
	}
}

func TestStripTags(t *testing.T) {
	tests := map[string]string{
		"plain [[ text ]]":                         "plain [[ text ]]",
		" [[reply_to_current]] a ":                 "  a ",
		"[[ REPLY_TO : a b ]]x":                    "x",
		"[[reply_to:]]x":                           "[[reply_to:]]x",
		"[[reply_to: a\nb]]x":                      "[[reply_to: a\nb]]x",
		"a[[Audio_As_Voice]]b[[audio_as_voice\t]]": "ab",
	}
	for in, want := range tests {
		if got := StripTags(in); got != want {
			t.Errorf("StripTags(%q) = %q, want %q", in, got, want)
		}
	}
}
