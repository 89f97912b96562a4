package gateway

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/runs"
)

func TestCleanMessage(t *testing.T) {
	for _, tt := range []struct{ in, want, err string }{
		{"plain", "plain", ""},
		{"a\tb\nc\r\nd", "a\tb\nc\r\nd", ""},
		{"bell\x07 del\x7f end\x1b", "bell del end", ""},
		{"cafe\u0301", "caf\u00e9", ""},
		{" kept ", " kept ", ""},
		{"c1 \u0085 bidi \u202e zero \u200b", "c1 \u0085 bidi \u202e zero \u200b", ""},
		{"a\x00b", "", "message must not contain null bytes"},
	} {
		got, err := cleanMessage(tt.in)
		said := ""
		if err != nil {
			said = err.Error()
		}
		if got != tt.want || said != tt.err {
			t.Errorf("cleanMessage(%q) = %q, %q; want %q, %q", tt.in, got, said, tt.want, tt.err)
		}
	}
}

func TestStopPhrase(t *testing.T) {
	for text, want := range map[string]bool{
		"stop": true, "STOP!": true, " /Stop ": true, "/stop:": true, "/stop :": true, "/stop\nreally": true,
		"please stop.": true, "Stop   please": true, "stop don’t do anything": true, "stop don`t do anything…": true,
		"detente?": true, "停止。": true, "СТОП": true, "arrête": true, "hoer auf": true, "stop )": true,
		"": false, "/": false, "/stop now": false, "/stopp": false, "stop it now": false, "do not stop": false,
		"stop\nplease do": false, "never wait": false, "...": false,
	} {
		if got := stopPhrase(text); got != want {
			t.Errorf("stopPhrase(%q) = %v", text, got)
		}
	}
}

func TestParseCommand(t *testing.T) {
	for text, want := range map[string]command{
		"/status":             {name: "status"},
		" /THINK: low ":       {"think", "low", "low"},
		"/t high hello\nyou":  {"think", "high hello", "high hello\nyou"},
		"/v:on":               {"verbose", "on", "on"},
		"/new":                {name: "new"},
		"/Reset\nhello":       {"reset", "", "hello"},
		"/model fake/m2\nand": {"model", "fake/m2", "fake/m2\nand"},
	} {
		got, ok := parseCommand(text)
		if !ok || got != want {
			t.Errorf("parseCommand(%q) = %+v, %v; want %+v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "/", "/nosuch x", "status", "say /status", "/ status", "/status/x", "//help"} {
		if got, ok := parseCommand(text); ok {
			t.Errorf("parseCommand(%q) = %+v", text, got)
		}
	}
}

const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

func TestAttachments(t *testing.T) {
	tooLarge := strings.Repeat("A", 6_666_672)
	for name, tt := range map[string]struct {
		in   []string
		kept int // with content
		want []runs.Media
		err  string
	}{
		"nothing of use":        {[]string{`null`, `5`, `"s"`, `{"type":"image"}`, `{"content":7}`, `{"content":""}`, `{"source":{"type":"url","data":"x"}}`}, 0, nil, ""},
		"content":               {[]string{`{"mimeType":"image/png","content":"` + png + `"}`}, 1, []runs.Media{{MIME: "image/png", Base64: png}}, ""},
		"source":                {[]string{`{"source":{"type":"base64","media_type":"image/png","data":"` + png + `"}}`}, 1, []runs.Media{{MIME: "image/png", Base64: png}}, ""},
		"content wins":          {[]string{`{"content":"` + png + `","source":{"type":"base64","data":"%"}}`}, 1, []runs.Media{{MIME: "image/png", Base64: png}}, ""},
		"data URL":              {[]string{`{"content":" data:image/jpeg;base64,` + png + `\n"}`}, 1, []runs.Media{{MIME: "image/png", Base64: png}}, ""},
		"bytes beat words":      {[]string{`{"mimeType":"image/jpeg","content":"` + png + `"}`}, 1, []runs.Media{{MIME: "image/png", Base64: png}}, ""},
		"no picture":            {[]string{`{"mimeType":"image/png","content":"JVBERi0xLjQgbm90IGFuIGltYWdlIGF0IGFsbA=="}`}, 1, nil, ""},
		"text":                  {[]string{`{"mimeType":"text/plain","content":"aGVsbG8gcGxhaW4gdGV4dCBmaWxl"}`}, 1, nil, ""},
		"declared, not known":   {[]string{`{"mimeType":"Image/X-Own; q=1","content":"aGVsbG8gcGxhaW4gdGV4dCBmaWxl"}`}, 1, []runs.Media{{MIME: "image/x-own", Base64: "aGVsbG8gcGxhaW4gdGV4dCBmaWxl"}}, ""},
		"too short to tell":     {[]string{`{"mimeType":"image/png","content":"AAAA"}`}, 1, []runs.Media{{MIME: "image/png", Base64: "AAAA"}}, ""},
		"bad, by number":        {[]string{`{"type":"image"}`, `{"content":"` + png + `"}`, `{"content":"***"}`}, 2, nil, "Error: attachment attachment-2: invalid base64 content"},
		"bad, by type":          {[]string{`{"type":"image","content":"!!!!"}`}, 1, nil, "Error: attachment image: invalid base64 content"},
		"bad, by name":          {[]string{`{"type":"image","fileName":"a.png","content":"abc"}`}, 1, nil, "Error: attachment a.png: invalid base64 content"},
		"bad padding":           {[]string{`{"content":"A==="}`}, 1, nil, "Error: attachment attachment-1: invalid base64 content"},
		"too large":             {[]string{`{"content":"` + tooLarge + `"}`}, 1, nil, "Error: attachment attachment-1: exceeds size limit (5000004 > 5000000 bytes)"},
		"as large as allowed":   {[]string{`{"content":"` + tooLarge[:6_666_664] + `AAA="}`}, 1, nil, ""},
		"a data URL of nothing": {[]string{`{"content":"data:image/png;base64,"}`}, 1, nil, "Error: attachment attachment-1: invalid base64 content"},
	} {
		t.Run(name, func(t *testing.T) {
			var values []rawjson.Value
			for _, v := range tt.in {
				values = append(values, rawjson.Value(v))
			}
			read := readAttachments(values)
			if len(read) != tt.kept {
				t.Fatalf("%d have content, want %d", len(read), tt.kept)
			}
			got, err := parseAttachments(read, slog.New(slog.DiscardHandler))
			said := ""
			if err != nil {
				said = err.Error()
			}
			if said != tt.err {
				t.Errorf("error %q, want %q", said, tt.err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("media (-want +got):\n%s", d)
			}
		})
	}
}

func TestTimeLimit(t *testing.T) {
	for _, tt := range []struct {
		ms   *int64
		want time.Duration
	}{
		{nil, 0},
		{new(int64(0)), runs.NoLimit},
		{new(int64(1)), time.Millisecond},
		{new(int64(1 << 60)), maxTimeoutMs * time.Millisecond},
	} {
		if got := timeLimit(tt.ms); got != tt.want {
			t.Errorf("timeLimit(%v) = %v, want %v", tt.ms, got, tt.want)
		}
	}
}

func TestEndOfChat(t *testing.T) {
	states := func(e runs.End) (out []string) {
		for _, ev := range endOfChat(e) {
			o, err := rawjson.Parse(ev.PayloadFor(3))
			if err != nil {
				t.Fatal(err)
			}
			message, _ := rawjson.Parse(o.Get("message"))
			out = append(out, strings.TrimSpace(o.Text("state")+" "+string(message.Get("content"))+o.Text("errorMessage")))
		}
		return out
	}
	long := strings.Repeat("x", 300)
	for name, tt := range map[string]struct {
		end  runs.End
		want []string
	}{
		"all was shown": {runs.End{Status: runs.Done, Text: "a"}, []string{`final [{"type":"text","text":"a"}]`}},
		"more to show":  {runs.End{Status: runs.Done, Text: "ab", Chat: &runs.ChatDelta{Added: "b"}}, []string{`delta [{"type":"text","text":"ab"}]`, `final [{"type":"text","text":"ab"}]`}},
		"silent":        {runs.End{Status: runs.Done}, []string{"final"}},
		"failed midway": {runs.End{Status: runs.Failed, Text: "ab", Chat: &runs.ChatDelta{Added: "b"}, Error: "no"}, []string{`delta [{"type":"text","text":"ab"}]`, "error no"}},
		"failed, wordy": {runs.End{Status: runs.Failed, Error: long}, []string{"error " + long[:240] + "..."}},
	} {
		if d := cmp.Diff(tt.want, states(tt.end)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestWithoutTags(t *testing.T) {
	in := `{"role":"assistant","content":[{"type":"text","text":"a [[reply_to_current]]b"},{"type":"image","text":"[[reply_to_current]]"}],"x":1.0}`
	want := `{"role":"assistant","content":[{"type":"text","text":"a b"},{"type":"image","text":"[[reply_to_current]]"}],"x":1.0}`
	o, err := rawjson.Parse(rawjson.Value(in))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(withoutTags(o).JSON()); got != want {
		t.Errorf("withoutTags = %s, want %s", got, want)
	}
}
