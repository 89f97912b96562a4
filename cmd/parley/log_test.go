package main

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/lmittmann/tint"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/rawjson"
)

// hostile are texts that would do something to a log or to the terminal that
// shows it.
var hostile = []string{
	"a\nlevel=ERROR msg=forged", "a\r\nb", "\x1b[2J\x1b]0;title\a", "\x9b31m", "a\u009bb", "\u2028x\u2029", "\u202eevil\u202c", "a\x00b",
	"\x7f\b\b\b", `" msg=forged "`, `{"level":"ERROR"}`, "a\tb", `spelled \x1b[2J out`, strings.Repeat("x", 4096), strings.Repeat("\x1b", 700), strings.Repeat("é\n", 1500), "",
}

// colours are the sequences by which tint colours what it writes itself.
var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// lines checks that a log has just as many lines as were written, each of them
// bounded, printable and of the handler's own form.
func lines(t *testing.T, name, text string, want int, begin *regexp.Regexp) {
	t.Helper()
	all := strings.SplitAfter(text, "\n")
	if last := len(all) - 1; all[last] == "" {
		all = all[:last]
	}
	if want >= 0 && len(all) != want {
		t.Errorf("%s: %d lines, want %d", name, len(all), want)
	}
	for _, line := range all {
		line = strings.TrimSuffix(line, "\n")
		if name == "tint" {
			line = colours.ReplaceAllString(line, "")
		}
		if !begin.MatchString(line) {
			t.Errorf("%s: line of another form: %.200q", name, line)
		}
		if i := strings.IndexFunc(line, func(r rune) bool { return hidden(r) || unicode.IsControl(r) }); i >= 0 {
			t.Errorf("%s: line with %.20q: %.200q", name, line[i:], line)
		}
		if len(line) > 32<<10 {
			t.Errorf("%s: line of %d bytes: %.200q", name, len(line), line)
		}
		if strings.HasPrefix(line, "{") && !rawjson.Valid([]byte(line)) {
			t.Errorf("%s: line is not JSON: %.200q", name, line)
		}
	}
}

// Whatever a client sends, a line of the log is one line of bounded length that
// a terminal can show.
func TestLogLinesAreOneLineEach(t *testing.T) {
	var buf bytes.Buffer
	options := &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: plainAttr}
	for _, h := range []struct {
		name  string
		make  func(io.Writer) slog.Handler
		begin string
	}{
		{"text", func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, options) }, `^time=\S+ level=WARN msg=`},
		{"json", func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, options) }, `^\{"time":"[^"]+","level":"WARN","msg":"`},
		{"tint", func(w io.Writer) slog.Handler {
			return tint.NewTextHandler(w, &tint.Options{Level: slog.LevelDebug, ReplaceAttr: plainAttr})
		}, `^\w+ +\d+ [\d:.]+ WRN `},
	} {
		buf.Reset()
		log := slog.New(h.make(&buf))
		n := 0
		for _, text := range hostile {
			log.Warn("m", "text", text, "err", errors.New(text), "list", []string{text, text}, "any", struct{ S string }{text}, "n", 5)
			log.Warn(text, "stack", text+"\n\tgoroutine 1\n")
			n += 2
		}
		log.Warn("m", "list", make([]string, 10_000), "bytes", []byte(strings.Repeat("\x1b\n", 10_000)))
		lines(t, h.name, buf.String(), n+1, regexp.MustCompile(h.begin))
	}
}

func FuzzPlainText(f *testing.F) {
	for _, text := range hostile {
		f.Add(text, 10)
	}
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = min(max(limit, 8), 4096)
		got := plainText(text, limit)
		if strings.IndexFunc(got, hidden) >= 0 || len(got) > 10*limit+40 {
			t.Errorf("%q becomes %q", text, got)
		}
		if again := plainText(got, len(got)); again != got {
			t.Errorf("%q becomes %q, and that %q", text, got, again)
		}
	})
}

// openTestLog makes the daemon's logger as serve does, at debug level, and what
// reads both of its halves.
func openTestLog(t *testing.T, format string, cfg *config.Config) (*slog.Logger, func() (stderr, file string)) {
	t.Helper()
	w, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	var level slog.LevelVar
	level.Set(slog.LevelDebug)
	log, closeLog, err := newLog(w, format, &level, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(closeLog(), w.Close()); err != nil {
			t.Error(err)
		}
	})
	return log, func() (string, string) {
		stderr, err := os.ReadFile(w.Name())
		if err != nil {
			t.Fatal(err)
		}
		daily, err := cfg.DailyLogs()
		if err != nil || len(daily) != 1 {
			t.Fatalf("%v daily logs: %v", daily, err)
		}
		file, err := os.ReadFile(daily[0].Path)
		if err != nil {
			t.Fatal(err)
		}
		return string(stderr), string(file)
	}
}
