package gateway

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/sessions"
)

// TestResultsAreAsPublished: the schemas of the answers know all their fields.
func TestResultsAreAsPublished(t *testing.T) {
	next := 1
	row := archiveRow{Archive: "/a", AgentID: "main", Reason: "reset", ArchivedAt: 1, Size: 2}
	full := row
	full.Key, full.SessionID, full.Label, full.DisplayName, full.Title, full.Reason = "k", "s", "l", "d", "t", "deleted"
	encoded(t, "_result.sessions.archives", sessionsArchivesResult{Archives: []archiveRow{}}, nil)
	encoded(t, "_result.sessions.archives", sessionsArchivesResult{TS: 1, Count: 2, Archives: []archiveRow{row, full}, TotalCount: 3, HasMore: true, NextOffset: &next}, nil)
	e, err := sessions.ParseEntry([]byte(`{"sessionId":"s"}`))
	encoded(t, "_result.sessions.restore", sessionsRestoreResult{OK: true, Key: "k", SessionID: "s", Entry: e, Transcript: "/t", Archived: []string{}}, err)
	encoded(t, "_result.sessions.restore", sessionsRestoreResult{OK: true, Key: "k", SessionID: "s", Entry: e, Transcript: "/t", Archived: []string{"/a"}, LabelTaken: "l"}, nil)
	next64 := int64(3)
	encoded(t, "_result.sessions.export", sessionsExportResult{Key: "k", AgentID: "main", Entry: e}, nil)
	encoded(t, "_result.sessions.export", sessionsExportResult{Key: "k", AgentID: "main", Entry: e, Transcript: &transcriptPart{Size: 9, Stamp: "s", Data: []byte("abc"), NextOffset: &next64}}, nil)
	encoded(t, "_result.sessions.import", sessionsImportResult{OK: true, Key: "k", Entry: e, Archived: []string{}}, nil)
	encoded(t, "_result.sessions.import", sessionsImportResult{OK: true, Key: "k", SessionID: "s", Entry: e, Transcript: "/t", Archived: []string{"/a"}, LabelTaken: "l"}, nil)
	encoded(t, "_result.sessions.import.part", sessionsImportPartResult{3}, nil)
	encoded(t, "_result.sessions.fork", sessionsForkResult{OK: true, Key: "k", SessionKey: "k", SessionID: "s", Entry: e}, nil)
	encoded(t, "_result.sessions.patchMany", sessionsPatchManyResult{Outcomes: []patchOutcome{
		{OK: true, Key: "k"}, {Key: " ", Error: protocol.Invalidf("key required")}, {Key: "k", Error: protocol.Unavailablef("later").WithDetails(row)},
	}}, nil)
	encoded(t, "_result.sessions.describe", sessionsDescribeResult{}, nil)
	encoded(t, "_result.sessions.describe", sessionsDescribeResult{&protocol.Row{Key: "k", Kind: "direct"}}, nil)
}

// A list reads the beginnings of what it shows, whatever else lies there.
func TestSessionsArchivesIsCheap(t *testing.T) {
	g := bare(t, `{}`, `{}`)
	st := g.stores.All()[0]
	for i := range 100 {
		text := `{"type":"message","message":{"role":"user","content":"first"}}` + "\n" + strings.Repeat(" ", 64<<10)
		writeText(t, filepath.Join(st.Dir(), fmt.Sprintf("s%03d.jsonl.deleted.2020-01-05T10-00-00.%03dZ", i, i)), text)
	}
	before := g.transcripts.BytesRead()
	r, err := g.sessionsArchives(t.Context(), nil, protocol.SessionsArchivesParams{Limit: 3})
	if err != nil || r.Count != 3 || r.TotalCount != 100 || r.Archives[0].SessionID != "s099" || r.Archives[0].Title != "first" {
		t.Errorf("%+v, %v", r, err)
	}
	if read := g.transcripts.BytesRead() - before; read != 3*8<<10 {
		t.Errorf("read %d bytes, want 8 KiB of each that is returned", read)
	}
}
