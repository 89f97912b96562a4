package realclients

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLibrary runs a program that uses the npm package openclaw-node: it
// connects with a device of its own, lists, chats in both ways, stops a run and
// looks at what is left.
func TestLibrary(t *testing.T) {
	d := startDaemon(t, "")
	d.ours().say("agent:main:before", "hello")
	script, err := filepath.Abs("testdata/library.js")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := newHome(t).node(ctx, script, d.url(), token)
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	var got struct {
		Protocol int
		Healthy  bool
		Keys     []string
		Chunks   []string
		Sync     string
		Aborted  bool
		History  []string
		Deleted  bool
		Unknown  string
		Again    bool
	}
	if err == nil {
		err = json.Unmarshal(out, &got)
	}
	if err != nil {
		t.Fatalf("%v, it printed:\n%s%s", err, out, &errors)
	}
	want := got
	want.Protocol, want.Healthy, want.Aborted, want.Deleted, want.Again = 3, true, true, true, true
	want.Keys = []string{"agent:main:before"}
	want.Chunks = []string{"text", "done"}
	want.Sync = "whole answer"
	want.History = []string{"user", "assistant"}
	want.Unknown = "missing scope: operator.admin" // as for every method that nobody knows
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s\nprinted:\n%s", diff, out)
	}
}
