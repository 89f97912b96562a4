package gateway

import (
	"strings"
	"time"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

const (
	// titleLength is the greatest length of a derived title, in UTF-16 units.
	titleLength = 60
	// titleBreak is the least index of a space at which a title may be cut.
	titleBreak = 37
)

// addTitles fills in derivedTitle and lastMessagePreview (spec: sessions 5.3).
func addTitles(row *protocol.Row, e sessions.Entry, look *transcript.Look, title, preview bool) {
	if e.SessionID() == "" || !title && !preview {
		return
	}
	first, last := look.Titles()
	if title {
		row.DerivedTitle = derivedTitle(e, first)
	}
	if preview {
		row.LastMessagePreview = last
	}
}

// derivedTitle is a name for a session from what was said in it first.
func derivedTitle(e sessions.Entry, firstMessage string) string {
	for _, s := range []string{e.Text("displayName"), e.Text("subject")} {
		if s = jstext.Trim(s); s != "" {
			return s
		}
	}
	if s := jstext.CollapseStart(firstMessage, titleLength); s != "" {
		return cutTitle(s)
	}
	title := jstext.Cut(e.SessionID(), 8)
	if at := e.UpdatedAt(); at > 0 {
		title += " (" + time.UnixMilli(at).UTC().Format(time.DateOnly) + ")"
	}
	return title
}

// cutTitle shortens a title, between words where that does not cost too much.
func cutTitle(s string) string {
	if jstext.Len(s) <= titleLength {
		return s
	}
	s = jstext.Cut(s, titleLength-1)
	if i := strings.LastIndexByte(s, ' '); i >= 0 && jstext.Len(s[:i]) >= titleBreak {
		s = s[:i]
	}
	return s + "…"
}
