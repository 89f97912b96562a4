package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/gatewaytest"
	"github.com/parleyd/parley/internal/loadtest"
)

// TestMain lets the tests' own program be the floor, as parley-bench is.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "-floor") {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestShort: the program starts a gateway and a floor, loads both and tells what it
// saw. Which figures come out is not judged, only that there are some.
func TestShort(t *testing.T) {
	dir := t.TempDir()
	parley, err := gatewaytest.Build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "rows.json")
	var out, log strings.Builder
	if err := run(t.Context(), []string{"-parley", parley, "-short", "-only", "open|disk|runs", "-json", file}, &out, &log); err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got loadtest.Report
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	measured := map[string]bool{}
	for _, r := range got.Rows {
		measured[fmt.Sprintf("%s, %d clients", r.Name, r.Clients)] = true
		if r.Floor != nil && (r.Parley.Rate <= 0 || r.Floor.Rate <= 0) {
			t.Errorf("%s, %d clients: nothing was done", r.Name, r.Clients)
		}
		if !strings.Contains(out.String(), "| "+r.Name+" |") {
			t.Errorf("%s is not in the table", r.Name)
		}
	}
	for _, want := range []string{"connections opened with a device, 16 clients", "syncs of a patch, 1 clients", "runs of busy sessions, 8 clients"} {
		if !measured[want] {
			t.Errorf("not measured: %s; %v were", want, measured)
		}
	}
}

func TestProgramThatIsNotThere(t *testing.T) {
	err := run(context.Background(), []string{"-parley", filepath.Join(t.TempDir(), "none")}, &strings.Builder{}, &strings.Builder{})
	if err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("got %v, want a word on how to make one", err)
	}
}
