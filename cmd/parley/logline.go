package main

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// loggedBytes is how much of one value a log line shows: what clients send
	// must not fill a disk with one line.
	loggedBytes = 1 << 10
	// stackBytes is the same for the stack of a panic, which is our own text.
	stackBytes = 16 << 10
	// loggedItems is how many members of a list are shown.
	loggedItems = 20
)

// plainAttr makes a value fit for a log line. Much of what is logged was sent by
// clients: names, keys, reasons. On a terminal a control character in it would
// move the cursor or begin a line of its own: tint lets escape sequences pass, and
// messages as they are. It is the ReplaceAttr of every handler.
func plainAttr(_ []string, a slog.Attr) slog.Attr {
	limit := loggedBytes
	if a.Key == "stack" {
		limit = stackBytes
	}
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(plainText(a.Value.String(), limit))
	case slog.KindAny:
		switch v := a.Value.Any().(type) {
		case error:
			a.Value = slog.StringValue(plainText(v.Error(), limit))
		case []string:
			a.Value = slog.AnyValue(plainList(v))
		case *slog.Source, slog.Level:
		default:
			a.Value = slog.StringValue(plainText(fmt.Sprint(v), limit))
		}
	}
	return a
}

// plainText is a text with its control characters written out, cut to about
// limit bytes.
func plainText(text string, limit int) string {
	cut := ""
	if len(text) > limit {
		end := limit
		for end > limit-utf8.UTFMax && !utf8.RuneStart(text[end]) {
			end--
		}
		text, cut = text[:end], fmt.Sprintf("… (%d bytes)", len(text))
	}
	if strings.IndexFunc(text, hidden) >= 0 {
		text = spelledOut(text)
	}
	// tint takes these four characters, in a text that it quotes, for the one
	// that they spell, and writes that.
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), `\x1b`, `\x1B`) + cut
}

// spelledOut is a text with its hidden characters as Go spells them.
func spelledOut(text string) string {
	var b strings.Builder
	for _, r := range text {
		if !hidden(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteToASCII(string(r))
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// hidden reports whether a character shows as none, or changes how others show:
// controls, line separators, marks that turn the direction of a text.
func hidden(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

// plainList is a list whose members are plain, the first of them.
func plainList(list []string) []string {
	out := make([]string, 0, min(len(list), loggedItems+1))
	for i, text := range list {
		if i == loggedItems {
			return append(out, fmt.Sprintf("… (%d in all)", len(list)))
		}
		out = append(out, plainText(text, loggedBytes/loggedItems))
	}
	return out
}
