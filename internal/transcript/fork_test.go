package transcript

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/rawjson"
)

func callLine(id string, calls ...string) string {
	var parts []string
	for _, c := range calls {
		parts = append(parts, `{"type":"toolCall","id":"`+c+`","name":"ls","arguments":{}}`)
	}
	return `{"type":"message","id":"` + id + `","message":{"role":"assistant","content":[{"type":"text","text":"` + id + `"},` + strings.Join(parts, ",") + `]}}`
}

func resultLine(id, call string) string {
	return `{"type":"message","id":"` + id + `","message":{"role":"toolResult","toolCallId":"` + call + `","content":[]}}`
}

// forked are the lines of a fork behind its header, and the header.
func (f *fixture) forked(t *testing.T, id string) (head rawjson.Object, lines []string) {
	t.Helper()
	text := f.read(t, f.path(id))
	if !strings.HasSuffix(text, "\n") {
		t.Errorf("%s does not end in a newline", id)
	}
	lines = strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	head, err := rawjson.Parse([]byte(lines[0]))
	if err != nil {
		t.Fatal(err)
	}
	return head, lines[1:]
}

func TestForkEnds(t *testing.T) {
	lines := []string{
		`{"type":"model_change","id":"00000001","parentId":null}`,
		testMessage("00000002", "00000001", "user", "a"),
		`{ "type":"message", "id":"odd \u0069d", "x":1e2, "message":{"role":"user","content":"b"}}`,
		callLine("00000003", "c1", "c2"),
		resultLine("00000004", "c1"),
		resultLine("00000005", "c2"),
		resultLine("00000006", "c9"),
		callLine("00000007", "c3"),
		testMessage("00000008", "00000007", "user", "no result came"),
		callLine("00000009", "c4"),
		resultLine("0000000a", "c4"),
	}
	for _, tt := range []struct {
		id   string
		want int // how many lines come along
	}{
		{"", 11}, {"00000001", 1}, {"00000002", 2}, {"odd id", 3}, {"00000003", 6}, {"00000004", 6}, {"00000005", 6},
		{"00000006", 7}, {"00000007", 8}, {"00000008", 9}, {"00000009", 11}, {"0000000a", 11},
	} {
		t.Run(tt.id, func(t *testing.T) {
			f := newFixture(t)
			source := f.write(t, "s.jsonl", append([]string{"", testHeader}, lines...)...)
			before := f.read(t, source)
			if err := f.Fork(f.ref("s"), tt.id, f.ref("new")); err != nil {
				t.Fatal(err)
			}
			head, got := f.forked(t, "new")
			if diff := cmp.Diff(lines[:tt.want], got); diff != "" {
				t.Error(diff)
			}
			if head.Text("id") != "new" || head.Text("cwd") != "/w" || head.Text("parentSession") != source || string(head.Get("version")) != "3" {
				t.Errorf("header %s", head.JSON())
			}
			if at, ok := parseTime(head.Text("timestamp")); !ok || at.Year() < 2026 || head.Text("timestamp") == "2026-01-05T10:00:00.000Z" {
				t.Errorf("header of %s", head.Text("timestamp"))
			}
			if f.read(t, source) != before {
				t.Error("the source has changed")
			}
			if _, err := f.Append(f.ref("new"), "/", messageLine("user", "next")); err != nil {
				t.Error(err)
			}
			sound(t, f.path("new"))
		})
	}
}

func TestForkRefuses(t *testing.T) {
	f := newFixture(t)
	f.write(t, "s.jsonl", chain(2)...)
	f.write(t, "taken.jsonl", testHeader)
	for _, tt := range []struct {
		from, id, to string
		want         error
	}{
		{"absent", "", "new", ErrNotFound}, {"s", "00000009", "new", ErrNoLine}, {"s", "s", "new", ErrNoLine}, {"s", "odd", "new", ErrNoLine},
		{"s", "", "taken", ErrExists}, {"s", "", "../new", ErrBadID},
	} {
		if err := f.Fork(f.ref(tt.from), tt.id, f.ref(tt.to)); !errors.Is(err, tt.want) {
			t.Errorf("%s at %q as %s: %v, want %v", tt.from, tt.id, tt.to, err, tt.want)
		}
	}
	if diff := cmp.Diff([]string{"s.jsonl", "taken.jsonl"}, f.ls(t)); diff != "" {
		t.Error(diff)
	}
}

// What is old or damaged is not made into something else by a header.
func TestForkOfOddFiles(t *testing.T) {
	const bare = `{"type":"message","message":{"role":"user","content":"a"}}`
	for name, tt := range map[string]struct {
		source        []string
		version       string
		parent        bool
		lines, length int // behind the header, and once a line was appended
	}{
		"version 1":      {[]string{`{"type":"session","id":"s"}`, bare}, "", false, 1, 2},
		"version 2":      {[]string{`{"type":"session","version":2,"id":"s"}`, testMessage("00000001", "", "user", "a")}, "2", false, 1, 2},
		"no header":      {chain(2)[1:], "3", true, 2, 3},
		"old, no header": {[]string{bare, bare}, "", false, 2, 3},
		"empty":          {nil, "3", true, 0, 1},
		"torn":           {append(chain(2), `{"type":"mess\`), "3", true, 2, 3},
		"cut":            {append(chain(1), testMessage("00000002", "00000001", "user", "m2")+`\`), "3", true, 2, 3},
		"blank lines":    {append(chain(1), "", " ", testMessage("00000002", "00000001", "user", "m2")), "3", true, 2, 3},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.write(t, "s.jsonl", tt.source...)
			if err := f.Fork(f.ref("s"), "", f.ref("new")); err != nil {
				t.Fatal(err)
			}
			head, lines := f.forked(t, "new")
			if string(head.Get("version")) != tt.version || head.Has("parentSession") != tt.parent || len(lines) != tt.lines {
				t.Errorf("header %s, %d lines", head.JSON(), len(lines))
			}
			if _, err := f.Append(f.ref("new"), "/", messageLine("user", "next")); err != nil {
				t.Fatal(err)
			}
			if head, lines = f.forked(t, "new"); string(head.Get("version")) != "3" || len(lines) != tt.length {
				t.Errorf("appended to: header %s, %d lines", head.JSON(), len(lines))
			}
			sound(t, f.path("new"))
		})
	}
}

// A fork reads in pieces, whatever the length of the file.
func TestForkOfALongFile(t *testing.T) {
	f := newFixture(t)
	lines := []string{testHeader}
	parent := ""
	for i := range 3000 {
		id := fmt.Sprintf("%08x", i+1)
		lines = append(lines, testMessage(id, parent, "user", strings.Repeat("x", i%700)))
		parent = id
	}
	f.write(t, "s.jsonl", lines...)
	if err := f.Fork(f.ref("s"), fmt.Sprintf("%08x", 2500), f.ref("new")); err != nil {
		t.Fatal(err)
	}
	if _, got := f.forked(t, "new"); len(got) != 2500 || got[2499] != lines[2500] {
		t.Errorf("%d lines", len(got))
	}
}
