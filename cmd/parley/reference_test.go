package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write doc/cli.md anew")

// doc/cli.md is what `parley man --markdown` prints.
func TestCommandPageIsCurrent(t *testing.T) {
	refs, err := references()
	if err != nil {
		t.Fatal(err)
	}
	page := filepath.Join("..", "..", "doc", "cli.md")
	want := markdownPage(refs)
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(want, "\n"), strings.Split(string(got), "\n")); d != "" {
		t.Errorf("doc/cli.md is not what the command line is; write it anew with go test ./cmd/parley -run CommandPage -update\n%s", d)
	}
}

// What the flags say must fit into every one of the shells and pages made of it.
func TestReferencesAreWhole(t *testing.T) {
	refs, err := references()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, r := range refs {
		known[r.name()] = true
		if len(r.path) > 0 && !strings.HasSuffix(r.help, ".") {
			t.Errorf("%s: the help is no sentence: %q", r.name(), r.help)
		}
		for _, f := range r.flags {
			if f.help == "" || strings.Contains(f.told(), "${") {
				t.Errorf("%s --%s: help %q", r.name(), f.name, f.told())
			}
		}
	}
	for _, want := range []string{"parley serve", "parley sessions export", "parley devices rotate", "parley models check", "parley chat"} {
		if !known[want] {
			t.Errorf("%s is not among the commands", want)
		}
	}
	for name, text := range map[string]string{"bash": bashScript(refs), "zsh": zshScript(refs), "fish": fishScript(refs), "man": manPage(refs), "markdown": markdownPage(refs)} {
		for _, r := range refs[1:] {
			if !strings.Contains(strings.ReplaceAll(text, `\-`, "-"), r.name()) {
				t.Errorf("the %s page does not know %s", name, r.name())
			}
		}
	}
}
