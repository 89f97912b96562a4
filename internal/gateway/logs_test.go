package gateway

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/protocol"
)

func TestLogsTail(t *testing.T) {
	const text = "one\ntwo\nthree\nfour" // 18 bytes, lines start at 0, 4, 8, 14
	at := func(n int) *protocol.Int { return new(protocol.Int(n)) }
	tests := []struct {
		name             string
		p                protocol.LogsTailParams
		lines            string
		truncated, reset bool
	}{
		{"all", protocol.LogsTailParams{}, "one two three four", false, false},
		{"limit", protocol.LogsTailParams{Limit: 2}, "three four", false, false},
		{"bytes from the middle of a line", protocol.LogsTailParams{MaxBytes: 9}, "four", true, false},
		{"bytes from the start of a line", protocol.LogsTailParams{MaxBytes: 10}, "three four", true, false},
		{"bytes from a line feed", protocol.LogsTailParams{MaxBytes: 11}, "three four", true, false},
		{"bytes of all", protocol.LogsTailParams{MaxBytes: 18}, "one two three four", false, false},
		{"bytes of a part of a line", protocol.LogsTailParams{MaxBytes: 1}, "", true, false},
		{"cursor at the start", protocol.LogsTailParams{Cursor: at(0)}, "one two three four", false, false},
		{"cursor at a line", protocol.LogsTailParams{Cursor: at(8)}, "three four", false, false},
		{"cursor in a line", protocol.LogsTailParams{Cursor: at(9)}, "four", false, false},
		{"cursor at the end", protocol.LogsTailParams{Cursor: at(18)}, "", false, false},
		{"cursor beyond the end", protocol.LogsTailParams{Cursor: at(19)}, "one two three four", false, true},
		{"cursor beyond the end, few bytes", protocol.LogsTailParams{Cursor: at(19), MaxBytes: 10}, "three four", true, true},
		{"cursor too far behind", protocol.LogsTailParams{Cursor: at(7), MaxBytes: 10}, "three four", true, true},
		{"cursor just not too far behind", protocol.LogsTailParams{Cursor: at(8), MaxBytes: 10}, "three four", false, false},
	}
	g := configured(t, `{logging: {file: "ROOT/my.log"}}`, map[string]string{"my.log": text})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := g.logsTail(t.Context(), nil, tt.p)
			if err != nil {
				t.Fatal(err)
			}
			want := logsTailResult{File: g.cfg().Logging.File, Cursor: 18, Size: 18, Lines: strings.Fields(tt.lines), Truncated: tt.truncated, Reset: tt.reset}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			encoded(t, "_result.logs.tail", got, nil)
		})
	}
}

func TestLogsTailDropsTheEmptyLastLineOnly(t *testing.T) {
	g := configured(t, `{logging: {file: "ROOT/my.log"}}`, map[string]string{"my.log": "one\n\ntwo\n"})
	got, err := g.logsTail(t.Context(), nil, protocol.LogsTailParams{})
	if diff := cmp.Diff([]string{"one", "", "two"}, got.Lines); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestLogsTailWithoutFile(t *testing.T) {
	g := configured(t, `{logging: {file: "ROOT/my.log"}}`, nil)
	r, err := g.logsTail(t.Context(), nil, protocol.LogsTailParams{Cursor: new(protocol.Int(5))})
	want := `{"file":` + quote(g.cfg().Logging.File) + `,"cursor":0,"size":0,"lines":[],"truncated":false,"reset":false}`
	if got := encoded(t, "_result.logs.tail", r, err); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if err := os.Mkdir(g.cfg().Logging.File, 0o700); err != nil {
		t.Fatal(err)
	}
	r, err = g.logsTail(t.Context(), nil, protocol.LogsTailParams{})
	if got := encoded(t, "_result.logs.tail", r, err); got != want {
		t.Errorf("a directory: got %s", got)
	}
}

// Just after midnight, today's file is not there yet.
func TestLogFileIsTheNewest(t *testing.T) {
	g := configured(t, `{}`, map[string]string{"logs/parley-2026-03-01.log": "", "logs/parley-2026-03-02.log": ""})
	for day, want := range map[int]string{1: "parley-2026-03-01.log", 2: "parley-2026-03-02.log", 3: "parley-2026-03-02.log"} {
		got, err := g.logFile(time.Date(2026, 3, day, 0, 0, 1, 0, time.Local))
		if err != nil || filepath.Base(got) != want {
			t.Errorf("on the %d.: %s, %v; want %s", day, got, err, want)
		}
	}
	got, err := configured(t, `{}`, nil).logFile(time.Date(2026, 3, 1, 0, 0, 0, 0, time.Local))
	if err != nil || filepath.Base(got) != "parley-2026-03-01.log" {
		t.Errorf("without any: %s, %v", got, err)
	}
}
