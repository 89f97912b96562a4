package gateway

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/disk/disktest"
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
	files, err := os.ReadDir(filepath.Join(g.cfg().StateDir, "media", "inbound"))
	if err != nil || len(files) != 1 {
		t.Errorf("%d files, error %v, want 1", len(files), err)
	}
}

// A picture is as durable as the message that names it, and nothing is left of
// one that could not be stored.
func TestPicturesLast(t *testing.T) {
	work := func(files *disk.FS, dir string) error {
		return writeMedia(files, filepath.Join(dir, "media", "inbound", "p.png"), png)
	}
	whole := func(dir string) error {
		data, err := os.ReadFile(filepath.Join(dir, "media", "inbound", "p.png"))
		if err == nil && base64.StdEncoding.EncodeToString(data) != png {
			err = fmt.Errorf("%d bytes are there", len(data))
		}
		return err
	}
	disktest.EachFault(t, func(t *testing.T, files *disk.FS, dir string) error { return work(files, dir) },
		func(t *testing.T, dir string, workErr error) {
			err := whole(dir)
			if workErr == nil && err != nil {
				t.Errorf("it was stored: %v", err)
			}
			dead := strings.HasSuffix(t.Name(), "ever_after")
			if workErr != nil && !dead && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("it could not be stored (%v); reading it: %v", workErr, err)
			}
		})
	rec := disktest.Record(t, t.TempDir())
	if err := work(rec.FS(), rec.Dir()); err != nil {
		t.Fatal(err)
	}
	rec.Mark("stored")
	disktest.PowerCuts(t, rec, disktest.Options{AnyOrder: true}, func(dir string, marks []any) error {
		if len(marks) == 0 {
			return nil
		}
		return whole(dir)
	})
}
