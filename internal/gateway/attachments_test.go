package gateway

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/parleyd/parley/internal/runs"
)

// The files of a message that starts no run are not kept.
func TestPicturesOfARepeatAreRemoved(t *testing.T) {
	g := gatewayOf(t, `{gateway:{auth:{mode:"token",token:"secret-token"}}}`)
	turn := runs.Turn{
		Kind: runs.Chat, Key: "agent:main:a", RunID: "r1", Message: "[[hang]]",
		Media: []runs.Media{{MIME: "image/png", Base64: png}},
	}
	for i, want := range []runs.State{runs.Started, runs.InFlight} {
		ticket, err := g.startWithMedia(turn)
		if err != nil || ticket.State != want {
			t.Fatalf("call %d: state %v, error %v, want state %v", i, ticket.State, err, want)
		}
		turn.Media = []runs.Media{{MIME: "image/png", Base64: png}}
	}
	files, err := os.ReadDir(filepath.Join(g.cfg.StateDir, "media", "inbound"))
	if err != nil || len(files) != 1 {
		t.Errorf("%d files, error %v, want 1", len(files), err)
	}
}
