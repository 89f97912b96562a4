package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTableKeepsToTheWidth(t *testing.T) {
	tab := table{columns: []column{{title: "KEY", give: fromMiddle}, {title: "TITLE", give: fromEnd}, {title: "N", right: true}}}
	tab.add("agent:main:a-long-name", "what was\nsaid \x1b[31mred", "7")
	tab.add("agent:main:b", "日本語のタイトルです", cell{"12", green})
	for _, c := range []struct {
		look look
		want string
	}{
		{look{}, `KEY                     TITLE                       N
agent:main:a-long-name  what was said \x1b[31mred   7
agent:main:b            日本語のタイトルです       12
`},
		{look{width: 32}, `KEY            TITLE           N
agent:…g-name  what was sai…   7
agent:main:b   日本語のタイ…  12
`},
		{look{width: 5}, `KEY       TITLE      N
age…name  what wa…   7
age…in:b  日本語…   12
`},
		{look{width: 80, color: true}, "\x1b[2mKEY\x1b[0m                     \x1b[2mTITLE\x1b[0m                       \x1b[2mN\x1b[0m\n" +
			"agent:main:a-long-name  what was said \\x1b[31mred   7\n" +
			"agent:main:b            日本語のタイトルです       \x1b[32m12\x1b[0m\n"},
	} {
		var b bytes.Buffer
		if err := tab.print(&b, c.look); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, b.String()); d != "" {
			t.Errorf("%+v (-want +got):\n%s", c.look, d)
		}
		for line := range strings.Lines(b.String()) {
			if n := columns(strings.TrimRight(line, "\n")); c.look.width > 20 && !c.look.color && n > c.look.width {
				t.Errorf("a line of %d columns in a width of %d: %s", n, c.look.width, line)
			}
		}
	}
}

// What clients named their sessions must not reach the terminal as commands.
func TestTerminalIsSparedControls(t *testing.T) {
	for in, want := range map[string]string{
		"a\x1b]0;title\x07b": `a\x1b]0;title\ab`, "a\u202eb": `a\u202eb`, "a\xffb": "a\uFFFDb", " a\t\n b ": "a b",
	} {
		if got := oneLine(in); got != want {
			t.Errorf("oneLine(%q) = %q, want %q", in, got, want)
		}
	}
	if got, want := manyLines("a\r\n\tb\x1b[2J\u009bc 👩\u200d🚀"), "a\n\tb\\x1b[2J\\u009bc 👩\u200d🚀"; got != want {
		t.Errorf("manyLines: %q, want %q", got, want)
	}
}

func TestColoursAreForTerminalsThatWantThem(t *testing.T) {
	env := func(vars ...string) func(string) string {
		return func(name string) string {
			for _, v := range vars {
				if value, ok := strings.CutPrefix(v, name+"="); ok {
					return value
				}
			}
			return ""
		}
	}
	for want, of := range map[bool][]func(string) string{true: {env(), env("TERM=xterm"), env("NO_COLOR=")}, false: {env("NO_COLOR=1"), env("TERM=dumb"), env("NO_COLOR=1", "TERM=xterm")}} {
		for _, e := range of {
			if coloured(e) != want {
				t.Errorf("NO_COLOR=%q TERM=%q: coloured is not %v", e("NO_COLOR"), e("TERM"), want)
			}
		}
	}
	pipe, _, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, f := range []*os.File{pipe, null} {
		if isTerminal(f) || lookOf(f) != (look{}) {
			t.Errorf("%s counts as a terminal", f.Name())
		}
	}
}

func TestNumbersForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 7: "7", 999: "999", 1000: "1k", 1234: "1.2k", 12_345: "12.3k", 128_000: "128k", 199_999: "200k", 1_000_000: "1M", 1_500_000: "1.5M", 2_000_000_000: "2G"} {
		if got := short(n); got != want {
			t.Errorf("short(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1241: "1.2 kB", 5_000_000: "5 MB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestProgress(t *testing.T) {
	for _, c := range []struct {
		done, total, width int
		want               string
	}{
		{5, 0, 80, "exporting: 5"},
		{0, 10, 80, "exporting: 0 of 10 [------------------------------]"},
		{5, 10, 80, "exporting: 5 of 10 [###############---------------]"},
		{10, 10, 80, "exporting: 10 of 10 [##############################]"},
		{5, 10, 40, "exporting: 5 of 10 [#########---------]"},
		{5, 10, 20, "exporting: 5 of 10"},
		{5, 10, 10, "exporting…"},
	} {
		got := progress("exporting", c.done, c.total, c.width)
		if len(c.want) > 0 && c.width == 40 {
			if columns(got) >= 40 || !strings.HasSuffix(got, "]") {
				t.Errorf("width 40: %q", got)
			}
			continue
		}
		if got != c.want {
			t.Errorf("%d of %d in %d: %q, want %q", c.done, c.total, c.width, got, c.want)
		}
	}
}
