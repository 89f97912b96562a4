package config

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestPlaces(t *testing.T) {
	root := write(t, map[string]string{
		"plain/":                       "",
		"claw/.openclaw/x":             "",
		"old/.moldbot/moldbot.json":    "",
		"both/.moldbot/":               "",
		"both/.clawdbot/":              "",
		"named/clawdbot.json":          "",
		"named/moldbot.json":           "",
		"cfg/.clawdbot/moldbot.json":   "",
		"cfg/.openclaw/":               "",
		"tilde/deep/.openclaw/":        "",
		"split/.openclaw/a":            "",
		"split/.moldbot/openclaw.json": "",
	})
	tests := []struct {
		name        string
		vars        map[string]string
		options     Options
		state, file string
		must        bool
	}{
		{name: "own directory by default", vars: map[string]string{"HOME": "ROOT/plain"}, state: "ROOT/plain/.parley", file: "ROOT/plain/.parley/parley.json"},
		{name: "openclaw asked for, nothing there", vars: map[string]string{"HOME": "ROOT/plain"}, options: Options{OpenClaw: true}, state: "ROOT/plain/.openclaw", file: "ROOT/plain/.openclaw/openclaw.json"},
		{name: "openclaw there but not asked for", vars: map[string]string{"HOME": "ROOT/claw"}, state: "ROOT/claw/.parley", file: "ROOT/claw/.parley/parley.json"},
		{name: "older state directory and name", vars: map[string]string{"HOME": "ROOT/old"}, options: Options{OpenClaw: true}, state: "ROOT/old/.moldbot", file: "ROOT/old/.moldbot/moldbot.json"},
		{name: "first of the older directories", vars: map[string]string{"HOME": "ROOT/both"}, options: Options{OpenClaw: true}, state: "ROOT/both/.clawdbot", file: "ROOT/both/.clawdbot/openclaw.json"},
		{name: "file in another directory than the state", vars: map[string]string{"HOME": "ROOT/cfg"}, options: Options{OpenClaw: true}, state: "ROOT/cfg/.openclaw", file: "ROOT/cfg/.clawdbot/moldbot.json"},
		{name: "state variable", vars: map[string]string{"HOME": "ROOT/plain", "OPENCLAW_STATE_DIR": " ROOT/named "}, state: "ROOT/named", file: "ROOT/named/clawdbot.json"},
		{name: "state variable without a file there falls back to the home", vars: map[string]string{"HOME": "ROOT/split", "OPENCLAW_STATE_DIR": "ROOT/plain"}, state: "ROOT/plain", file: "ROOT/split/.moldbot/openclaw.json"},
		{name: "state variable with tilde", vars: map[string]string{"HOME": "ROOT/plain", "OPENCLAW_STATE_DIR": "~/x"}, state: "ROOT/plain/x", file: "ROOT/plain/x/openclaw.json"},
		{name: "state variable relative", vars: map[string]string{"HOME": "ROOT/plain", "OPENCLAW_STATE_DIR": "x"}, state: "ROOT/x", file: "ROOT/x/openclaw.json"},
		{name: "config variable alone", vars: map[string]string{"HOME": "ROOT/plain", "OPENCLAW_CONFIG_PATH": "~/c.json"}, state: "ROOT/plain/.openclaw", file: "ROOT/plain/c.json"},
		{name: "flags win", vars: map[string]string{"HOME": "ROOT/plain", "OPENCLAW_CONFIG_PATH": "~/c.json", "OPENCLAW_STATE_DIR": "~/s"}, options: Options{Path: "p.json", StateDir: "~/t"}, state: "ROOT/plain/t", file: "ROOT/p.json", must: true},
		{name: "state flag alone", vars: map[string]string{"HOME": "ROOT/plain"}, options: Options{StateDir: "s"}, state: "ROOT/s", file: "ROOT/s/parley.json"},
		{name: "home variable wins over HOME", vars: map[string]string{"HOME": "ROOT/tilde", "OPENCLAW_HOME": " ~/deep "}, options: Options{OpenClaw: true}, state: "ROOT/tilde/deep/.openclaw", file: "ROOT/tilde/deep/.openclaw/openclaw.json"},
		{name: "undefined counts as unset", vars: map[string]string{"HOME": "undefined", "USERPROFILE": "null"}, options: Options{HomeDir: "ROOT/plain"}, state: "ROOT/plain/.parley", file: "ROOT/plain/.parley/parley.json"},
		{name: "userprofile", vars: map[string]string{"USERPROFILE": "ROOT/plain"}, state: "ROOT/plain/.parley", file: "ROOT/plain/.parley/parley.json"},
		{name: "no home at all", state: "ROOT/.parley", file: "ROOT/.parley/parley.json"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := func(s string) string { return strings.ReplaceAll(s, "ROOT", root) }
			o := tt.options
			o.Env = func(name string) string { return in(tt.vars[name]) }
			o.WorkDir, o.HomeDir = root, in(o.HomeDir)
			got, err := o.places()
			if err != nil {
				t.Fatal(err)
			}
			if got.state != in(tt.state) {
				t.Errorf("state directory = %s, want %s", got.state, in(tt.state))
			}
			if got.file != in(tt.file) {
				t.Errorf("file = %s, want %s", got.file, in(tt.file))
			}
			if got.must != tt.must {
				t.Errorf("must exist = %v, want %v", got.must, tt.must)
			}
		})
	}
}

func TestExpand(t *testing.T) {
	c := parse(t, `{}`)
	for path, want := range map[string]string{
		"~": "/home/ann", "~/x": "/home/ann/x", "~bob/x": "/work/~bob/x", "x/../y": "/work/y", "/a/./b": "/a/b",
	} {
		if got := c.Expand(path); got != filepath.FromSlash(want) {
			t.Errorf("Expand(%q) = %q, want %q", path, got, want)
		}
	}
}
