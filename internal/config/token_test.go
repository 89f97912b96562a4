package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestEnsureTokenMakesAndKeepsOne(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	o := testOptions(nil)
	o.StateDir = dir
	c, _, err := Parse(`{}`, o)
	if err != nil {
		t.Fatal(err)
	}
	first, made, err := EnsureToken(c)
	if err != nil || !made {
		t.Fatalf("made %v, error %v", made, err)
	}
	token := first.Gateway.Auth.Token.Reveal()
	if !regexp.MustCompile(`^[0-9a-f]{48}$`).MatchString(token) {
		t.Errorf("token = %q", token)
	}
	if !c.Gateway.Auth.Token.Empty() {
		t.Error("the given configuration changed")
	}
	if first.CheckStart() != nil {
		t.Errorf("CheckStart: %v", first.CheckStart())
	}
	info, err := os.Stat(TokenPath(dir))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file mode %v, error %v", info.Mode(), err)
	}
	if info, _ := os.Stat(dir); info.Mode().Perm() != 0o700 {
		t.Errorf("directory mode %v", info.Mode())
	}
	second, made, err := EnsureToken(c)
	if err != nil || made || second.Gateway.Auth.Token.Reveal() != token {
		t.Errorf("second time: made %v, error %v, same %v", made, err, second.Gateway.Auth.Token.Reveal() == token)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("directory holds %v, want the token alone", entries)
	}
}

func TestEnsureTokenLeavesOthersAlone(t *testing.T) {
	for _, auth := range []string{`{token: "t"}`, `{mode: "none"}`, `{password: "p"}`, `{mode: "password"}`, `{mode: "trusted-proxy"}`} {
		dir := t.TempDir()
		o := testOptions(nil)
		o.StateDir = dir
		c, _, err := Parse(`{gateway: {auth: `+auth+`}}`, o)
		if err != nil {
			t.Fatal(err)
		}
		if with, made, err := EnsureToken(c); with != c || made || err != nil {
			t.Errorf("%s: changed %v, made %v, error %v", auth, with != c, made, err)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 0 {
			t.Errorf("%s: left %v", auth, entries)
		}
	}
}

func TestEnsureTokenReplacesAnEmptyFile(t *testing.T) {
	dir := write(t, map[string]string{"token": " \n"})
	o := testOptions(nil)
	o.StateDir = dir
	c, _, _ := Parse(`{}`, o)
	with, made, err := EnsureToken(c)
	if err != nil || !made || with.Gateway.Auth.Token.Empty() {
		t.Errorf("made %v, error %v", made, err)
	}
	stored, err := StoredToken(dir)
	if err != nil || stored.Reveal() != with.Gateway.Auth.Token.Reveal() {
		t.Errorf("stored token differs, error %v", err)
	}
}

func TestEnsureTokenTellsWhyItCannot(t *testing.T) {
	dir := write(t, map[string]string{"token/": ""})
	o := testOptions(nil)
	o.StateDir = dir
	c, _, _ := Parse(`{}`, o)
	if _, _, err := EnsureToken(c); err == nil || !strings.Contains(err.Error(), "gateway token") {
		t.Errorf("error = %v", err)
	}
}
