package transcript

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/parleyd/parley/internal/rawjson"
)

const fence = "```"

func TestStripMetadata(t *testing.T) {
	block := func(start, body string) string { return start + "\n" + fence + "json\n" + body + "\n" + fence + "\n" }
	tests := []struct{ name, in, want string }{
		{"plain", "a\n\nb\n", "a\n\nb\n"},
		{"stamp", "[Mon 2026-01-05 10:00 UTC]   hi", "hi"},
		{"stamp of another form", "[2026-01-05 10:00] hi", "[2026-01-05 10:00] hi"},
		{"stamp not at the start", " [Mon 2026-01-05 10:00 UTC] hi", " [Mon 2026-01-05 10:00 UTC] hi"},
		{"block", block(senderBlock, `{"a":1}`) + "\n\nhi\n", "hi"},
		{"stamp behind a block stays", block(senderBlock, `{}`) + "[Mon 2026-01-05 10:00 UTC] hi", "[Mon 2026-01-05 10:00 UTC] hi"},
		{"two blocks", block(conversationBlock, "{}") + "\n" + block("Thread starter (untrusted, for context):", "x") + "\nhi", "hi"},
		{"block in the middle", "a\n\n" + block("  Replied message (untrusted, for context): ", "{}") + "\n\nb", "a\n\nb"},
		{"no fence", senderBlock + "\nstays\n", senderBlock + "\nstays"},
		{"words in a line", "see Sender (untrusted metadata): here", "see Sender (untrusted metadata): here"},
		{"fence never closed", "a\n" + senderBlock + "\n" + fence + "json\n{}", "a"},
		{"trailing context", "hi\n\n" + contextBlock + "\n\nSource: web\nmore", "hi"},
		{"trailing context, other marks", "hi\n" + contextBlock + "\n<<<EXTERNAL_UNTRUSTED_CONTENT id>>>\nx", "hi"},
		{"context without mark", "hi\n" + contextBlock + "\nnothing", "hi\n" + contextBlock + "\nnothing"},
		{"mark too far away", "hi\n" + contextBlock + strings.Repeat("\n", 8) + "Source: web", "hi\n" + contextBlock + strings.Repeat("\n", 8) + "Source: web"},
	}
	for _, tt := range tests {
		if got := stripMetadata(tt.in); got != tt.want {
			t.Errorf("%s: stripMetadata(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

func TestSenderName(t *testing.T) {
	block := func(start, body string) string { return start + "\n" + fence + "json\n" + body + "\n" + fence }
	tests := []struct{ in, want string }{
		{"hi", ""},
		{block(senderBlock, `{"id":"5","e164":"+1","username":"u"}`), "u"},
		{block(senderBlock, `{"label":" ","name":" N "}`), "N"},
		{block(conversationBlock, `{"sender":"C"}`) + "\n\n" + block(senderBlock, `{"id":"S"}`), "S"},
		{block(conversationBlock, `{"sender":"C"}`), "C"},
		{block(senderBlock, `not json`) + "\n" + block(conversationBlock, `{"sender":"C"}`), "C"},
		{senderBlock + "\nno fence", ""},
		{senderBlock + "\n" + fence + "json\n{\"id\":\"x\"}", ""},
	}
	for _, tt := range tests {
		if got := senderName(tt.in); got != tt.want {
			t.Errorf("senderName(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestClean(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"nothing to do", `{"role":"user","content":"\u00e9","n":1.50,"z":{"details":1}}`, `{"role":"user","content":"\u00e9","n":1.50,"z":{"details":1}}`},
		{"no object", `"text"`, `"text"`},
		{"tags in every text", `{"content":[{"type":"text","text":"a[[audio_as_voice]]"},5,null],"text":"[[reply_to_current]]b"}`, `{"content":[{"type":"text","text":"a"},5,null],"text":"b"}`},
		{"nothing is trimmed", `{"content":" a [[reply_to_current]]"}`, `{"content":" a "}`},
		{"envelope and ids of users", `{"role":"USER","content":"[Slack x] hi\n [Message_ID: 5 ] \nyou"}`, `{"role":"USER","content":"hi\nyou"}`},
		{"not of others", `{"role":"assistant","content":"[Slack x] hi\n[message_id: 5]"}`, `{"role":"assistant","content":"[Slack x] hi\n[message_id: 5]"}`},
		{"id within a line", `{"role":"user","content":"hi [message_id: 5]"}`, `{"role":"user","content":"hi [message_id: 5]"}`},
		{"stamp of every role", `{"role":"assistant","content":"[Mon 2026-01-05 10:00 UTC] hi"}`, `{"role":"assistant","content":"hi"}`},
		{"text without content", `{"role":"user","text":"[Slack x] hi"}`, `{"role":"user","text":"hi"}`},
		{"text beside content", `{"role":"user","content":"c","text":"[Slack x] hi"}`, `{"role":"user","content":"c","text":"[Slack x] hi"}`},
		{"sender label", `{"role":"user","senderLabel":" Bob ","content":"x"}`, `{"role":"user","senderLabel":"Bob","content":"x"}`},
		{"sender label of others", `{"role":"assistant","senderLabel":" Bob "}`, `{"role":"assistant","senderLabel":" Bob "}`},
		{"details", `{"role":"toolResult","details":{"a":1},"content":[]}`, `{"role":"toolResult","content":[]}`},
		{"usage of others", `{"role":"user","usage":{"input":1},"cost":{"total":1}}`, `{"role":"user"}`},
		{"usage", `{"role":"assistant","usage":{"cacheRead":2,"input":1.0,"output":"x","junk":1,"cost":{"input":1,"total":2}},"cost":{"total":3,"x":1}}`,
			`{"role":"assistant","usage":{"input":1.0,"cacheRead":2,"cost":{"total":2}},"cost":{"total":3}}`},
		{"empty usage", `{"role":"assistant","usage":{"weird":true,"cost":{"total":"x"}},"cost":5}`, `{"role":"assistant"}`},
		{"signature and image", `{"content":[{"type":"thinking","thinking":"t","thinkingSignature":"s"},{"type":"image","data":"QUJD","mimeType":"image/png"},{"type":"file","data":"x"}]}`,
			`{"content":[{"type":"thinking","thinking":"t"},{"type":"image","mimeType":"image/png","omitted":true,"bytes":4},{"type":"file","data":"x"}]}`},
	}
	for _, tt := range tests {
		if got := string(clean(rawjson.Value(tt.in))); got != tt.want {
			t.Errorf("%s: clean(%s)\n got %s\nwant %s", tt.name, tt.in, got, tt.want)
		}
	}
}

func TestCleanShortens(t *testing.T) {
	exact := strings.Repeat("é", maxText)
	cut := exact + truncated
	pairs := strings.Repeat("x", maxText-1) + "😀"
	tests := []struct{ name, in, want string }{
		{"content", `{"content":"` + exact + `é"}`, `{"content":"` + jsonText(cut) + `"}`},
		{"exactly as long", `{"content":"` + exact + `"}`, `{"content":"` + exact + `"}`},
		{"block", `{"content":[{"thinking":"` + exact + `é","partialJson":"` + exact + `é","arguments":"` + exact + `é","text":"` + exact + `é","other":"` + exact + `é"}]}`,
			`{"content":[{"thinking":"` + jsonText(cut) + `","partialJson":"` + jsonText(cut) + `","arguments":"` + jsonText(cut) + `","text":"` + jsonText(cut) + `","other":"` + exact + `é"}]}`},
		{"arguments that are an object", `{"content":[{"arguments":{"a":"` + exact + `é"}}]}`, `{"content":[{"arguments":{"a":"` + exact + `é"}}]}`},
		{"half a pair is dropped", `{"text":"` + pairs + `"}`, `{"text":"` + jsonText(strings.Repeat("x", maxText-1)+truncated) + `"}`},
	}
	for _, tt := range tests {
		if got := string(clean(rawjson.Value(tt.in))); got != tt.want {
			t.Errorf("%s: %d bytes, want %d: …%s", tt.name, len(got), len(tt.want), got[max(0, len(got)-60):])
		}
	}
}

func jsonText(s string) string { return strings.ReplaceAll(s, "\n", `\n`) }

func TestIsSilent(t *testing.T) {
	tests := map[string]bool{
		`{"role":"assistant","content":" NO_REPLY\n"}`:                                                          true,
		`{"role":"assistant","content":[{"type":"text","text":"NO_REPLY"}]}`:                                    true,
		`{"role":"assistant","content":"no_reply"}`:                                                             false,
		`{"role":"user","content":"NO_REPLY"}`:                                                                  false,
		`{"role":"assistant","content":"NO_REPLY","text":"x"}`:                                                  false,
		`{"role":"assistant","content":"x","text":"NO_REPLY"}`:                                                  true,
		`{"role":"assistant","content":[{"type":"text","text":"NO_REPLY"},{"type":"text","text":"NO_REPLY"}]}`:  false,
		`{"role":"assistant","content":[{"type":"text","text":""},{"type":"text","text":"NO_REPLY"}]}`:          true,
		`{"role":"assistant","content":[{"type":"thinking","thinking":"t"},{"type":"text","text":"NO_REPLY"}]}`: false,
		`{"role":"assistant","content":[]}`:                                                                     false,
		`"NO_REPLY"`:                                                                                            false,
	}
	for in, want := range tests {
		if got := isSilent(rawjson.Value(in)); got != want {
			t.Errorf("isSilent(%s) = %v, want %v", in, got, want)
		}
	}
}

func TestHistoryLimits(t *testing.T) {
	message := func(role string, n int, parts int) Message {
		one := `{"type":"text","text":"` + strings.Repeat("x", n) + `"}`
		return Message{Raw: rawjson.Value(fmt.Sprintf(`{"role":%q,"content":[%s],"timestamp":5}`, role, strings.TrimSuffix(strings.Repeat(one+",", parts), ",")))}
	}
	got := History([]Message{message("assistant", 11_000, 12), message("user", 11_000, 1), {Raw: rawjson.Value(`{"role":"assistant","content":"NO_REPLY"}`)}})
	if len(got) != 2 {
		t.Fatalf("%d messages, want 2", len(got))
	}
	if want := `{"role":"assistant","timestamp":5,"content":[{"type":"text","text":"[chat.history omitted: message too large]"}],"__openclaw":{"truncated":true,"reason":"oversized"}}`; string(got[0]) != want {
		t.Errorf("placeholder is %s", got[0])
	}
	var many []Message
	for range 60 {
		many = append(many, message("user", 11_800, 11))
	}
	got = History(many)
	all, err := rawjson.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if one := len(got[0]) + 1; len(all) > maxHistory || len(all)+one <= maxHistory {
		t.Errorf("%d messages of %d bytes make %d bytes, limit %d", len(got), one, len(all), maxHistory)
	}
}

// TestHistoryPage makes sure that a reader of pages misses no message: what was
// left out for want of room is in the page before, and what is too large or
// silent still has its place.
func TestHistoryPage(t *testing.T) {
	message := func(seq int, content string) Message {
		return Message{Seq: seq, Raw: rawjson.Value(fmt.Sprintf(`{"role":"assistant","content":%q,"timestamp":5,"__openclaw":{"id":"m%d","seq":%d}}`, content, seq, seq))}
	}
	large := Message{Seq: 4, Raw: rawjson.Value(`{"role":"user","content":[` + strings.TrimSuffix(strings.Repeat(`{"type":"text","text":"`+strings.Repeat("x", 11_000)+`"},`, 12), ",") +
		`],"timestamp":6,"__openclaw":{"id":"m4","seq":4}}`)}
	got, first := HistoryPage([]Message{message(3, "NO_REPLY"), large, message(5, "hello")})
	if first != 3 || len(got) != 2 {
		t.Fatalf("the page of 3, 4 and 5 begins with %d and shows %d messages, want 3 and 2", first, len(got))
	}
	if want := `{"role":"user","timestamp":6,"content":[{"type":"text","text":"[chat.history omitted: message too large]"}],"__openclaw":{"id":"m4","seq":4,"truncated":true,"reason":"oversized"}}`; string(got[0]) != want {
		t.Errorf("what stands for a large message is %s", got[0])
	}
	var many []Message
	for i := range 1000 {
		many = append(many, message(i+1, strings.Repeat("x", 11_800)))
	}
	got, first = HistoryPage(many)
	if want := 1000 - len(got) + 1; first != want || len(got) == 1000 {
		t.Errorf("a page with room for the last %d begins with %d, want %d", len(got), first, want)
	}
	if got, first = HistoryPage(nil); len(got) != 0 || first != 0 {
		t.Errorf("an empty page is %s from %d", got, first)
	}
}

// FuzzHistory cleans any JSON value: what comes out is JSON, valid UTF-8 and
// within the limit.
func FuzzHistory(f *testing.F) {
	f.Add([]byte(`{"role":"user","content":"Sender (untrusted metadata):\n` + fence + `json\n{\"id\":1}\n` + fence + `\n[message_id: 5]","usage":{"input":1}}`))
	f.Add([]byte(`{"role":"assistant","content":[{"type":"image","data":"x"},{"type":"text","text":"\ud83d[[reply_to: a]]"},[],1],"usage":{"cost":{"total":1e999}}}`))
	f.Add([]byte(`[{"content":1}]`))
	f.Add([]byte(`{"role":"user","senderLabel":" B ","content":[{"type":"text","text":"a \"b\" 1"},{"type":"toolCall","arguments":{"a":1}}],"details":1,"text":"[[reply_to: a]]"}`))
	for _, d := range dirt {
		f.Add([]byte(`{"role":"user","content":"` + string(d) + `"}`))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !rawjson.Valid(raw) || !utf8.Valid(raw) {
			return // no line of a transcript is like that
		}
		for _, got := range History([]Message{{Raw: raw}}) {
			if !rawjson.Valid(got) || !utf8.Valid(got) || len(got) > maxHistoryMessage {
				t.Errorf("History(%s) = %s", raw, got)
			}
		}
		o, err := rawjson.Parse(raw)
		if err != nil || !asShown(o.Get("content")) {
			return
		}
		quick, whole := o.Clone(), o.Clone()
		cleanObject(&quick, true)
		cleanObject(&whole, false)
		var a, b any
		if err := errors.Join(json.Unmarshal(quick.JSON(), &a), json.Unmarshal(whole.JSON(), &b)); err == nil && !reflect.DeepEqual(a, b) {
			t.Errorf("%s is taken for clean, and cleaned is %s", quick.JSON(), whole.JSON())
		}
	})
}
