package transcript

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/rawjson"
)

func TestMessages(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  []string
	}{
		{"nothing", nil, []string{}},
		{"what counts", []string{
			testHeader,
			`{"type":"model_change","id":"00000101","parentId":null}`,
			`{"type":"message","id":"00000001","message":{"role":"user","n":1.0,"s":"\u00e9"}}`,
			"not json", "", "   ", "[1,2]", "null", `"str"`, "7",
			`{"type":"message","id":"zz"}`,
			`{"type":"message","message":null}`,
			`{"type":"message","message":0}`,
			`{"type":"message","message":""}`,
			`{"type":"compaction","id":"00000004","timestamp":"2026-01-05T10:00:04.000Z"}`,
			`{"type":"compaction","id":5,"timestamp":"2026-01-05T10:00:04Z"}`,
			`{"message":{"role":"user"}}`,
			`{"id":5,"message":{"role":"assistant","__openclaw":{"kept":1,"seq":99},"z":1}}`,
			`{"message":"a bare string"}`,
			`{"message":[1]}`,
			`{"Message":{"role":"user"}}`,
			`{"type":"label","id":"00000009","label":"L"}`,
			`{"type":"message","id":"last","message":{"role":"user"}}\`,
		}, []string{
			`{"role":"user","n":1.0,"s":"\u00e9","__openclaw":{"id":"00000001","seq":1}}`,
			`{"role":"system","content":[{"type":"text","text":"Compaction"}],"timestamp":1767607204000,"__openclaw":{"kind":"compaction","id":"00000004","seq":2}}`,
			`{"role":"system","content":[{"type":"text","text":"Compaction"}],"timestamp":1767607204000,"__openclaw":{"kind":"compaction","seq":3}}`,
			`{"role":"user","__openclaw":{"seq":4}}`,
			`{"role":"assistant","__openclaw":{"kept":1,"seq":5},"z":1}`,
			`"a bare string"`,
			`[1]`,
			`{"role":"user","__openclaw":{"id":"last","seq":8}}`,
		}},
		{"CRLF", []string{testHeader + "\r", `{"id":"a","message":{"role":"user"}}` + "\r"}, []string{`{"role":"user","__openclaw":{"id":"a","seq":1}}`}},
		{"not UTF-8", []string{testHeader, "{\"id\":\"a\",\"message\":{\"role\":\"\xff\"}}"}, []string{"{\"role\":\"\uFFFD\",\"__openclaw\":{\"id\":\"a\",\"seq\":1}}"}},
		{"repeated names", []string{testHeader, `{"id":"a","message":1,"message":{"role":"user","role":"x"}}`}, []string{`{"role":"x","__openclaw":{"id":"a","seq":1}}`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			f.write(t, "s.jsonl", tt.lines...)
			if diff := cmp.Diff(tt.want, f.messages(t, f.ref("s"), 0)); diff != "" {
				t.Error(diff)
			}
			for last := 1; last <= len(tt.want)+1; last++ {
				want := tt.want[max(0, len(tt.want)-last):]
				if diff := cmp.Diff(want, f.messages(t, f.ref("s"), last)); diff != "" {
					t.Errorf("last %d: %s", last, diff)
				}
			}
			if n, err := f.Count(f.ref("s")); n != len(tt.want) || err != nil {
				t.Errorf("Count = %d, %v, want %d", n, err, len(tt.want))
			}
		})
	}
	f := newFixture(t)
	if got := f.messages(t, f.ref("absent"), 0); len(got) != 0 {
		t.Errorf("an absent file has messages %v", got)
	}
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	for _, text := range []string{"", "\n", "a", "a\n", "a\nb", "\n\na\r\n\nb\n", long + "\n" + long, "a\n" + long + "\nb\n"} {
		in := newLines(strings.NewReader(text), int64(len(text)))
		rest, off := text, int64(0)
		for {
			line, ok, err := in.line()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			want, after, ended := strings.Cut(rest, "\n")
			if got := string(line.text); got != strings.TrimSuffix(want, "\r") || line.off != off || line.ended != ended {
				t.Fatalf("line at %d of %d bytes: %d bytes at %d, ended %v", off, len(text), len(got), line.off, line.ended)
			}
			off += int64(len(rest) - len(after))
			rest = after
		}
		if rest != "" {
			t.Errorf("%d bytes were not read", len(rest))
		}
	}
}

// A long history must not be read for its end, nor for one more line.
func TestLongFileIsReadOnce(t *testing.T) {
	f := newFixture(t)
	var b bytes.Buffer
	fmt.Fprintln(&b, testHeader)
	parent := ""
	for i := range 12_000 {
		id := fmt.Sprintf("%08x", i)
		fmt.Fprintln(&b, testMessage(id, parent, "user", strings.Repeat("w", 4000)))
		parent = id
	}
	if err := os.WriteFile(f.path("s"), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	size := int64(b.Len())
	read := func(what string, most int64, do func()) {
		t.Helper()
		before := f.BytesRead()
		do()
		if n := f.BytesRead() - before; n > most {
			t.Errorf("%s read %d bytes of %d, want at most %d", what, n, size, most)
		}
	}
	r := f.ref("s")
	read("the titles", 64<<10, func() { f.Look(r).Titles() })
	read("a preview", 128<<10, func() { f.Preview(r, 12, 240) })
	// Parts that are scanned at once overlap by what is read at a time.
	read("the first look", size+4*scanBuffer, func() { f.Count(r) })
	read("the last ten", 64<<10, func() {
		if got, err := f.Messages(r, 10); len(got) != 10 || got[9].Seq != 12_000 || err != nil {
			t.Errorf("%d messages, %v", len(got), err)
		}
	})
	read("an append", 64<<10, func() {
		if _, err := f.Append(r, "/", messageLine("user", "more")); err != nil {
			t.Error(err)
		}
	})
	read("what follows an append", 64<<10, func() {
		f.Messages(r, 10)
		f.Look(r).Usage()
		f.Count(r)
		f.Look(r).Titles()
		f.LastModel(r)
		f.HasIdempotency(r, "k")
	})
}

func TestCacheIsBounded(t *testing.T) {
	f := newFixture(t)
	f.cache = newCache(3, 5000) // there is room for three small indexes
	for i := range 10 {
		name := fmt.Sprintf("s%d", i)
		f.write(t, name+".jsonl", testHeader, testMessage("00000001", "", "user", "a"), testMessage("00000002", "00000001", "user", "b"))
		f.Count(f.ref(name))
		if files := len(f.cache.files); files > 3 || files < min(i, 3) || f.cache.order.Len() != files || f.cache.bytes > 5000 {
			t.Fatalf("%d files, %d bytes after %d", files, f.cache.bytes, i+1)
		}
	}
	for _, name := range []string{"s7", "s8", "s9"} {
		f.cache.drop(f.path(name))
	}
	if f.cache.bytes != 0 || len(f.cache.files) != 0 {
		t.Errorf("%d bytes are left", f.cache.bytes)
	}
}

func TestChangedFileIsReadAgain(t *testing.T) {
	f := newFixture(t)
	f.write(t, "s.jsonl", testHeader, testMessage("00000001", "", "user", "aaa"))
	f.messages(t, f.ref("s"), 0)
	// The same size under another inode.
	f.write(t, "t.jsonl", testHeader, testMessage("00000001", "", "user", "bbb"))
	if err := os.Rename(f.path("t"), f.path("s")); err != nil {
		t.Fatal(err)
	}
	first, _ := f.Look(f.ref("s")).Titles()
	if got := f.messages(t, f.ref("s"), 0); first != "bbb" || !strings.Contains(got[0], "bbb") {
		t.Errorf("title %q, messages %v", first, got)
	}
}

func TestTitles(t *testing.T) {
	many := func(n int, role string) (out []string) {
		for i := range n {
			out = append(out, fmt.Sprintf(`{"message":{"role":%q,"content":"%s %d"}}`, role, role, i))
		}
		return out
	}
	user := `{"message":{"role":"user","content":"words"}}`
	long := fmt.Sprintf(`{"message":{"role":"assistant","content":"%s"}}`, strings.Repeat("z", 17_000))
	tests := []struct {
		name        string
		lines       []string
		first, last string
	}{
		{"none", []string{testHeader}, "", ""},
		{"tags and space", []string{`{"message":{"role":"user","content":" [[ Reply_to : 7 ]] a  b\n[[audio_as_voice]]"}}`}, "a  b", "a  b"},
		{"parts", []string{`{"message":{"role":"user","content":[{"type":"image"},{"type":"text","text":" "},5,{"type":"input_text","text":"x"}]}}`}, "x", "x"},
		{"other part types", []string{`{"message":{"role":"user","content":[{"type":"thinking","text":"x"}]}}`}, "", ""},
		{"from another session", []string{`{"message":{"role":"user","content":"a","provenance":{"kind":"inter_session"}}}`, user}, "words", "words"},
		{"tenth line", append(append([]string{testHeader}, many(8, "toolResult")...), user), "words", "words"},
		{"eleventh line", append(append([]string{testHeader}, many(9, "toolResult")...), user), "", "words"},
		{"blank lines count", append([]string{testHeader, "", "", "", "", "", "", "", "", ""}, user), "", "words"},
		{"20 lines back", append([]string{user}, many(19, "toolResult")...), "words", "words"},
		{"21 lines back", append([]string{user}, many(20, "toolResult")...), "words", ""},
		{"beyond 8 KiB", []string{long, user}, "", "words"},
		{"long last message", []string{user, long}, "words", strings.Repeat("z", 17_000)},
		{"torn end", []string{user, `{"message":{"role":"user\`}, "words", "words"},
		{"role in capitals", []string{`{"message":{"role":"User","content":"a"}}`}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			f.write(t, "s.jsonl", tt.lines...)
			for range 2 { // the second comes from the cache
				if first, last := f.Look(f.ref("s")).Titles(); first != tt.first || last != tt.last {
					t.Errorf("Titles = %.40q, %.40q, want %.40q, %.40q", first, last, tt.first, tt.last)
				}
			}
		})
	}
}

func TestUsage(t *testing.T) {
	answer := func(rest string) string { return `{"message":{"role":"assistant",` + rest + `}}` }
	tests := []struct {
		name  string
		lines []string
		want  Usage
		ok    bool
	}{
		{"none", []string{testHeader, `{"message":{"role":"user","usage":{"input":1}}}`, answer(`"usage":{"input":0}`)}, Usage{}, false},
		{"sums and last", []string{
			answer(`"provider":"p","model":"m","usage":{"input":100,"output":10,"cacheRead":5,"cacheWrite":1,"cost":{"total":0.5}}`),
			`{"message":{"usage":{"prompt_tokens":7,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":3},"cost":{"total":0.25}}}}`,
			answer(`"provider":"openclaw","model":"delivery-mirror","usage":{"input":0}`),
		}, Usage{TotalTokens: 10, Input: 107, Output: 12, CacheRead: 8, CacheWrite: 1, Cost: 0.75, HasCost: true, Provider: "p", Model: "m"}, true},
		{"usage of the line", []string{`{"message":{"role":"assistant"},"usage":{"input_tokens":4,"cache_creation_input_tokens":2,"cache_read_input_tokens":1},"model":"m"}`},
			Usage{TotalTokens: 7, Input: 4, CacheRead: 1, CacheWrite: 2, Model: "m"}, true},
		{"negative", []string{answer(`"usage":{"input":-5,"output":3}`)}, Usage{Output: 3}, true},
		{"null gives way", []string{answer(`"usage":{"input":null,"inputTokens":3}`)}, Usage{Input: 3, TotalTokens: 3}, true},
		{"names are trimmed", []string{answer(`"provider":" p ","model":"\tm "`)}, Usage{Provider: "p", Model: "m"}, true},
		{"cost zero", []string{answer(`"usage":{"cost":{"total":0}}`)}, Usage{HasCost: true}, true},
		{"fractions", []string{answer(`"usage":{"input":1.5,"output":2.25,"cacheRead":0.25}`)}, Usage{Input: 1.5, Output: 2.25, CacheRead: 0.25, TotalTokens: 1.75}, true},
		{"beyond integers", []string{answer(`"usage":{"input":1e300}`)}, Usage{Input: 1e300, TotalTokens: 1e300}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			f.write(t, "s.jsonl", tt.lines...)
			got, ok := f.Look(f.ref("s")).Usage()
			if diff := cmp.Diff(tt.want, got); diff != "" || ok != tt.ok {
				t.Errorf("ok = %v, %s", ok, diff)
			}
		})
	}
}

func TestRunFacts(t *testing.T) {
	f := newFixture(t)
	r := f.ref("s")
	if _, _, _, any := f.LastModel(r); any {
		t.Error("a run has written to an absent file")
	}
	f.write(t, "s.jsonl", testHeader,
		`{"type":"custom","customType":"model-snapshot","id":"a","data":{"provider":"p","modelApi":"x","modelId":"m"}}`,
		`{"type":"custom","customType":"other","id":"b","data":{"provider":"q"}}`,
		`{"type":"message","id":"c","message":{"role":"assistant","idempotencyKey":"run:assistant"}}`)
	p, api, m, any := f.LastModel(r)
	if got, want := fmt.Sprint(p, api, m, any), fmt.Sprint("p", "x", "m", true); got != want {
		t.Errorf("LastModel = %s, want %s", got, want)
	}
	if !f.HasIdempotency(r, "run:assistant") || f.HasIdempotency(r, "run") {
		t.Error("idempotency keys are wrong")
	}
}

func TestContext(t *testing.T) {
	line := func(id, parent, rest string) string {
		p := "null"
		if parent != "" {
			p = `"` + parent + `"`
		}
		return fmt.Sprintf(`{"id":%q,"parentId":%s,"timestamp":"2026-01-05T10:00:04.000Z",%s}`, id, p, rest)
	}
	msg := func(id, parent string) string { return line(id, parent, `"type":"message","message":{"m":"`+id+`"}`) }
	tests := []struct {
		name  string
		lines []string
		want  string
	}{
		{"path", []string{msg("a", ""), msg("b", "a"), line("x", "b", `"type":"model_change"`), msg("c", "x")}, `[{"m":"a"} {"m":"b"} {"m":"c"}]`},
		{"abandoned branch", []string{msg("a", ""), msg("b", "a"), msg("c", "a")}, `[{"m":"a"} {"m":"c"}]`},
		{"missing parent", []string{msg("a", ""), msg("b", "gone")}, `[{"m":"b"}]`},
		{"loop", []string{msg("a", "a")}, `[{"m":"a"}]`},
		{"compaction", []string{msg("a", ""), msg("b", "a"), msg("00000003", "b"),
			line("k", "00000003", `"type":"compaction","summary":"S","tokensBefore":9,"firstKeptEntryId":"b"`), msg("d", "k")},
			`[{"role":"compactionSummary","summary":"S","tokensBefore":9,"timestamp":1767607204000} {"m":"b"} {"m":"00000003"} {"m":"d"}]`},
		{"two compactions", []string{msg("a", ""), line("k", "a", `"type":"compaction","summary":"1","firstKeptEntryId":"a"`), msg("b", "k"),
			line("l", "b", `"type":"compaction","summary":"2","firstKeptEntryId":"b"`)},
			`[{"role":"compactionSummary","summary":"2","timestamp":1767607204000} {"m":"b"}]`},
		{"compaction that kept nothing", []string{msg("a", ""), line("k", "a", `"type":"compaction","summary":"1","firstKeptEntryId":"zz"`)},
			`[{"role":"compactionSummary","summary":"1","timestamp":1767607204000}]`},
		{"others", []string{line("a", "", `"type":"custom_message","customType":"t","content":"c","display":false`), line("b", "a", `"type":"branch_summary","summary":"s","fromId":"root"`),
			line("c", "b", `"type":"custom","customType":"t"`)},
			`[{"role":"custom","customType":"t","content":"c","display":false,"timestamp":1767607204000} {"role":"branchSummary","summary":"s","fromId":"root","timestamp":1767607204000}]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			f.write(t, "s.jsonl", append([]string{testHeader}, tt.lines...)...)
			told, err := f.Context(f.ref("s"))
			var got []rawjson.Value
			for _, m := range told {
				got = append(got, m.Message)
				if line := strings.Contains(strings.Join(tt.lines, "\n"), fmt.Sprintf(`"id":%q`, m.ID)); line == strings.Contains(string(m.Message), "compactionSummary") {
					t.Errorf("%s stands in the line %q", m.Message, m.ID)
				}
			}
			if fmt.Sprintf("%s", got) != tt.want || err != nil {
				t.Errorf("Context = %s, %v, want %s", got, err, tt.want)
			}
		})
	}
}

// FuzzReading reads any bytes as a transcript, appends, and reads again.
func FuzzReading(f *testing.F) {
	f.Add([]byte(joinLines(testHeader, testMessage("00000001", "", "user", "é"), `{"type":"compaction","id":"k","parentId":"00000001"}`)))
	f.Add([]byte("\xff\r\n{\"message\":{\"role\":\"user\",\"content\":[{}]}}\nnull\n{\"type\":\"session\"}"))
	f.Add([]byte(`{"type":"session","id":"s"}` + "\n" + `{"type":"compaction","firstKeptEntryIndex":7}`))
	f.Add([]byte("{\"id\":\"a\",\"parentId\":\"a\",\"message\":{\"__openclaw\":[],\"usage\":{\"input\":1e400}}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		x := newFixture(t)
		path := filepath.Join(x.dir, "s.jsonl")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r := x.ref("s")
		before := x.messages(t, r, 0)
		x.Look(r).Titles()
		x.Look(r).Usage()
		if _, _, err := x.Preview(r, 50, 240); err != nil {
			t.Fatal(err)
		}
		if _, err := x.Context(r); err != nil {
			t.Fatal(err)
		}
		got, err := x.Append(r, "/", messageLine("user", "new"))
		if err != nil {
			t.Fatal(err)
		}
		after := x.messages(t, r, 0)
		if len(after) != len(before)+1 || got[0].Seq != len(after) || after[len(before)] != string(got[0].Message) {
			t.Fatalf("%d messages before, %d after, appended %+v", len(before), len(after), got[0])
		}
	})
}
