package gateway

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/rawjson"
)

// BenchmarkReads is what the handlers of reads cost by themselves, decoding params
// and encoding the answer included, when nothing has changed since the last time.
func BenchmarkReads(b *testing.B) {
	const entries = 1000
	g := bare(b, `{}`, benchStore(entries))
	g.log = slog.New(slog.DiscardHandler)
	withEngine(b, g)
	dir := filepath.Join(g.cfg().StateDir, "agents/main/sessions")
	for i := range entries {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("s-%d.jsonl", i)), benchTalk(), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	byName := map[string]*method{}
	for i := range methods {
		byName[methods[i].name] = &methods[i]
	}
	twenty := func(n int) string {
		var keys []string
		for i := range 20 {
			keys = append(keys, fmt.Sprintf(`"agent:main:s%d"`, (n+i)%entries))
		}
		return `{"keys":[` + strings.Join(keys, ",") + `]}`
	}
	for _, one := range []struct {
		name, method string
		params       func(n int) string
	}{
		{"resolve", "sessions.resolve", func(n int) string { return fmt.Sprintf(`{"key":"agent:main:s%d"}`, n) }},
		{"get", "sessions.get", func(n int) string { return fmt.Sprintf(`{"key":"agent:main:s%d","limit":10}`, n) }},
		{"history", "chat.history", func(n int) string { return fmt.Sprintf(`{"sessionKey":"agent:main:s%d"}`, n) }},
		{"list", "sessions.list", func(int) string { return `{"limit":50}` }},
		{"titles", "sessions.list", func(int) string { return `{"limit":50,"includeDerivedTitles":true,"includeLastMessage":true}` }},
		{"preview", "sessions.preview", twenty},
	} {
		b.Run(one.name, func(b *testing.B) {
			params := make([]rawjson.Value, entries)
			for i := range params {
				params[i] = rawjson.Value(one.params(i))
			}
			ask := func(n int) {
				res, err := byName[one.method].serve(g, b.Context(), new(call), params[n%entries])
				if err != nil {
					b.Fatal(err)
				}
				encodeAnswer(rawjson.Value(`"1"`), res, nil)
			}
			for i := range entries {
				ask(i)
			}
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				ask(n)
			}
		})
	}
}

func benchStore(entries int) string {
	var s strings.Builder
	for i := range entries {
		fmt.Fprintf(&s, `%s"agent:main:s%d":{"sessionId":"s-%d","updatedAt":%d,"label":"session %d","model":"m","modelProvider":"p","contextTokens":1000,"totalTokens":100,"estimatedCostUsd":0.1}`,
			"{,"[min(i, 1):][:1], i, i, 1767225600000+i, i)
	}
	return s.String() + "}"
}

func benchTalk() []byte {
	var s strings.Builder
	for i := range 10 {
		fmt.Fprintf(&s, `{"type":"message","id":"%08x","message":{"role":%q,"content":[{"type":"text","text":%q}]}}`+"\n", i, []string{"user", "assistant"}[i%2], strings.Repeat("words ", 100))
	}
	return []byte(s.String())
}
