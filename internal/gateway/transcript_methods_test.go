package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/runs"
)

const threeSessions = `{"agent:main:a":{"sessionId":"s-a","updatedAt":5,"totalTokens":9,"kept":1,"fastMode":false,"thinkingLevel":"high"},` +
	`"agent:main:no-id":{"updatedAt":4},"agent:main:no-file":{"sessionId":"s-b","updatedAt":3}}`

// withTranscript is a bare gateway whose session a has a transcript with these
// texts by the user.
func withTranscript(t *testing.T, texts ...string) *Gateway {
	t.Helper()
	g := bare(t, `{}`, threeSessions)
	g.log = slog.New(slog.DiscardHandler)
	lines := []string{`{"type":"session","version":3,"id":"s-a"}`}
	for i, text := range texts {
		lines = append(lines, fmt.Sprintf(`{"type":"message","id":"m%d","message":{"role":"user","content":%q}}`, i+1, text))
	}
	path := filepath.Join(g.cfg().StateDir, "agents/main/sessions/s-a.jsonl")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestSessionsGet(t *testing.T) {
	g := withTranscript(t, "one", "[[audio_as_voice]]two", "three")
	first := `{"role":"user","content":"one","__openclaw":{"id":"m1","seq":1}}`
	second := `{"role":"user","content":"[[audio_as_voice]]two","__openclaw":{"id":"m2","seq":2}}`
	third := `{"role":"user","content":"three","__openclaw":{"id":"m3","seq":3}}`
	for _, tt := range []struct{ params, want string }{
		{`{"key":"a"}`, `{"messages":[` + first + `,` + second + `,` + third + `]}`},
		{`{"key":null,"sessionKey":" AGENT:main:A ","limit":2.9}`, `{"messages":[` + second + `,` + third + `]}`},
		{`{"key":"a","limit":-3}`, `{"messages":[` + third + `]}`},
		{`{"key":"a","limit":1e300}`, `{"messages":[` + first + `,` + second + `,` + third + `]}`},
		{`{"key":"a","limit":"1","more":true}`, `{"messages":[` + first + `,` + second + `,` + third + `]}`},
		{`{"key":5}`, `{"messages":[]}`},
		{`{"key":"no-id"}`, `{"messages":[]}`},
		{`{"key":"no-file"}`, `{"messages":[]}`},
		{`{"key":"","sessionKey":"a"}`, "key required"},
		{`{"key":true}`, "key required"},
		{`{}`, "key required"},
		{`[]`, "key required"},
	} {
		var p protocol.SessionsGetParams
		if err := rawjson.Unmarshal([]byte(tt.params), &p); err != nil {
			t.Fatal(err)
		}
		r, err := g.sessionsGet(t.Context(), nil, p)
		got := string(rawjson.MustMarshal(r))
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s, want %s", tt.params, got, tt.want)
		}
	}
}

func TestLooseTextSpellsNumbersAsJavaScript(t *testing.T) {
	for in, want := range map[string]string{
		`" a "`: "a", `5`: "5", `1.50`: "1.5", `-0.0`: "0", `1e3`: "1000", `1e21`: "1e+21", `1e-7`: "1e-7", `123456789012345678901`: "123456789012345680000", `true`: "", `[1]`: "", ``: "",
	} {
		if got := looseText(rawjson.Value(in)); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func TestSessionsPreview(t *testing.T) {
	g := withTranscript(t, "one", strings.Repeat("x", 300))
	keys := []string{" A ", " ", "no-id", "no-file", "gone"}
	for range 100 {
		keys = append(keys, "more")
	}
	r, err := g.sessionsPreview(t.Context(), nil, protocol.SessionsPreviewParams{Keys: keys, Limit: 1, MaxChars: 20})
	if err != nil || len(r.Previews) != previewKeys {
		t.Fatalf("%d previews, %v", len(r.Previews), err)
	}
	r.Previews, r.TS = r.Previews[:4], 5
	got := string(rawjson.MustMarshal(r))
	want := `{"ts":5,"previews":[{"key":"A","status":"ok","items":[{"role":"user","text":"xxxxxxxxxxxxxxxxx..."}]},{"key":"no-id","status":"missing","items":[]},` +
		`{"key":"no-file","status":"empty","items":[]},{"key":"gone","status":"missing","items":[]}]}`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestChatHistory(t *testing.T) {
	g := withTranscript(t, "one", "[[audio_as_voice]]two")
	withEngine(t, g)
	for _, tt := range []struct{ key, want string }{
		{"A", `{"sessionKey":"A","sessionId":"s-a","messages":[{"role":"user","content":"two","__openclaw":{"id":"m2","seq":2}}],"thinkingLevel":"high","fastMode":false}`},
		{"gone", `{"sessionKey":"gone","messages":[],"thinkingLevel":"off"}`},
		{" ", `{"sessionKey":" ","messages":[],"thinkingLevel":"off"}`},
	} {
		r, err := g.chatHistory(t.Context(), nil, protocol.ChatHistoryParams{SessionKey: tt.key, Limit: 1})
		if got := string(rawjson.MustMarshal(r)); got != tt.want || err != nil {
			t.Errorf("%q: %s, %v, want %s", tt.key, got, err, tt.want)
		}
	}
}

// withEngine gives g a run engine until the test ends.
func withEngine(t testing.TB, g *Gateway) {
	t.Helper()
	g.engine = runs.New(runs.Options{Config: g.cfg(), Stores: g.stores, Transcripts: g.transcripts, Log: g.log})
	t.Cleanup(func() {
		if err := g.engine.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
}

func TestSessionsCompact(t *testing.T) {
	g := withTranscript(t, "one", "two", "three")
	withEngine(t, g)
	for _, tt := range []struct {
		key   string
		lines protocol.Int
		want  string
	}{
		{"gone", 1, `{"ok":true,"key":"agent:main:gone","compacted":false,"reason":"no sessionId"}`},
		{"no-id", 1, `{"ok":true,"key":"agent:main:no-id","compacted":false,"reason":"no sessionId"}`},
		{"no-file", 1, `{"ok":true,"key":"agent:main:no-file","compacted":false,"reason":"no transcript"}`},
		{"a", 0, `{"ok":true,"key":"agent:main:a","compacted":false,"kept":4}`},
	} {
		c := &call{}
		r, err := g.sessionsCompact(t.Context(), c, protocol.SessionsCompactParams{Key: tt.key, MaxLines: tt.lines})
		if got := string(rawjson.MustMarshal(r)); got != tt.want || err != nil || len(c.after) != 0 {
			t.Errorf("%q: %s, %v, %d events, want %s", tt.key, got, err, len(c.after), tt.want)
		}
	}
	c := &call{}
	r, err := g.sessionsCompact(t.Context(), c, protocol.SessionsCompactParams{Key: "A", MaxLines: 2})
	if err != nil || !r.Compacted || *r.Kept != 2 || !strings.Contains(r.Archived, "s-a.jsonl.bak.") || len(c.after) != 1 {
		t.Errorf("%+v, %v, %d events", r, err, len(c.after))
	}
	found, _, err := g.stores.Lookup("a")
	if err != nil || found.Entry.Value("totalTokens") != nil || found.Entry.Value("kept") == nil || found.Entry.UpdatedAt() < 1e12 {
		t.Errorf("entry is %s, %v", found.Entry.Raw(), err)
	}
	if _, err := g.sessionsCompact(t.Context(), c, protocol.SessionsCompactParams{Key: " "}); err == nil || err.Error() != protocol.Invalidf("key required").Error() {
		t.Errorf("blank key: %v", err)
	}
}

// A run must not lose the file that it writes to.
func TestSessionsCompactWhileHeld(t *testing.T) {
	g := withTranscript(t, "one", "two", "three")
	withEngine(t, g)
	release, err := g.engine.Hold(t.Context(), "agent:main:a", runs.HoldOptions{Wait: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	_, err = g.compactWithin(t.Context(), "A", 2, time.Millisecond)
	e, ok := errors.AsType[*protocol.Error](err)
	if want := "Session A is still active; try again in a moment."; !ok || e.Code != protocol.Unavailable || e.Message != want {
		t.Errorf("error = %v, want %s", err, want)
	}
	found, _, err := g.stores.Lookup("a")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := g.transcripts.Count(runs.Ref(found.Store, found.Key, found.Entry)); n != 3 || err != nil {
		t.Errorf("%d messages, %v", n, err)
	}
}

func TestUsageRange(t *testing.T) {
	now := time.Date(2026, 3, 10, 23, 30, 0, 0, time.UTC)
	for _, tt := range []struct {
		p        protocol.SessionsUsageParams
		from, to string
	}{
		{protocol.SessionsUsageParams{StartDate: "2026-01-05", EndDate: "2026-01-06"}, "2026-01-05T00:00:00Z", "2026-01-06T23:59:59.999Z"},
		{protocol.SessionsUsageParams{StartDate: "2026-01-05", EndDate: "2026-01-05", Mode: "specific", UTCOffset: "UTC+5:30"}, "2026-01-04T18:30:00Z", "2026-01-05T18:29:59.999Z"},
		{protocol.SessionsUsageParams{StartDate: "2026-01-05", EndDate: "2026-01-05", Mode: "specific", UTCOffset: "UTC-12"}, "2026-01-05T12:00:00Z", "2026-01-06T11:59:59.999Z"},
		{protocol.SessionsUsageParams{StartDate: "2026-01-05", EndDate: "2026-01-05", Mode: "specific", UTCOffset: "UTC+15"}, "2026-01-05T00:00:00Z", "2026-01-05T23:59:59.999Z"},
		{protocol.SessionsUsageParams{StartDate: "2023-02-30", EndDate: "2023-13-00"}, "2023-03-02T00:00:00Z", "2023-12-31T23:59:59.999Z"},
		{protocol.SessionsUsageParams{StartDate: "2026-01-05"}, "2026-02-09T00:00:00Z", "2026-03-10T23:59:59.999Z"},
		{protocol.SessionsUsageParams{Mode: "specific", UTCOffset: "UTC+1"}, "2026-02-09T23:00:00Z", "2026-03-11T22:59:59.999Z"},
	} {
		from, to := usageRange(tt.p, now)
		if got := [2]string{from.UTC().Format(time.RFC3339Nano), to.UTC().Format(time.RFC3339Nano)}; got != [2]string{tt.from, tt.to} {
			t.Errorf("%+v: %v, want %s %s", tt.p, got, tt.from, tt.to)
		}
	}
}
