package config

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/parleyd/parley/internal/jstext"
)

// Options say where Load looks and what the command line gave.
type Options struct {
	// Path is a configuration file named by the user, which must exist; ""
	// to look in the usual places.
	Path string
	// StateDir is a state directory named by the user; "" for the default.
	StateDir string
	// OpenClaw uses OpenClaw's directory and file names in place.
	// OPENCLAW_STATE_DIR and OPENCLAW_CONFIG_PATH do the same.
	OpenClaw bool
	// Env looks up a variable of the environment; nil is an empty one.
	Env func(string) string
	// HomeDir is the home directory for when no variable names one.
	HomeDir string
	// WorkDir is the directory that relative paths start from, "" for the
	// process's own.
	WorkDir string
	// Port, Bind and Token are what the command line gave; they win over
	// everything else. Bind is loopback, lan, auto, tailnet or an address.
	Port  int
	Bind  string
	Token string
	// Admin takes the place of parley.admin.
	Admin string
}

func (o Options) env(name string) string {
	if o.Env == nil {
		return ""
	}
	return o.Env(name)
}

// places are the directories and the file that one configuration lives in.
type places struct {
	home, state, file, work string
	must                    bool // the file was named by the user
}

// openclawNames are the configuration files of OpenClaw and its older names,
// openclawDirs its state directories, in order of preference.
var (
	openclawNames = [...]string{"openclaw.json", "clawdbot.json", "moldbot.json"}
	openclawDirs  = [...]string{".openclaw", ".clawdbot", ".moldbot"}
)

func (o Options) places() (places, error) {
	p := places{work: o.WorkDir}
	if p.work == "" {
		work, err := os.Getwd()
		if err != nil {
			return p, err
		}
		p.work = work
	}
	p.home = o.home(p.work)
	stateVar, fileVar := jstext.Trim(o.env("OPENCLAW_STATE_DIR")), jstext.Trim(o.env("OPENCLAW_CONFIG_PATH"))
	openclaw := o.OpenClaw || stateVar != "" || fileVar != ""
	named := firstText(o.StateDir, stateVar)
	switch {
	case named != "":
		p.state = p.expand(named)
	case openclaw:
		p.state = openclawState(p.home)
	default:
		p.state = filepath.Join(p.home, ".parley")
	}
	switch {
	case o.Path != "":
		p.file, p.must = p.expand(o.Path), true
	case fileVar != "":
		p.file = p.expand(fileVar)
	case openclaw:
		p.file = openclawFile(p.home, p.state, named != "")
	default:
		p.file = filepath.Join(p.state, "parley.json")
	}
	return p, nil
}

// home is the home directory: OPENCLAW_HOME, HOME, USERPROFILE, what the
// operating system says, else the working directory.
func (o Options) home(work string) string {
	system := firstText(set(o.env("HOME")), set(o.env("USERPROFILE")), o.HomeDir)
	named := set(o.env("OPENCLAW_HOME"))
	if named == "" {
		named = system
	}
	if named == "" {
		return work
	}
	return places{home: system, work: work}.expand(named)
}

// set is a variable's trimmed value; what a script makes of an undefined
// value counts as unset.
func set(v string) string {
	if v = jstext.Trim(v); v == "undefined" || v == "null" {
		return ""
	}
	return v
}

func firstText(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// expand replaces a leading "~" by the home directory and makes path absolute.
func (p places) expand(path string) string {
	if path == "~" || strings.HasPrefix(path, "~/") {
		path = filepath.Join(p.home, path[1:])
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.work, path)
	}
	return filepath.Clean(path)
}

func openclawState(home string) string {
	for _, dir := range openclawDirs {
		if path := filepath.Join(home, dir); exists(path) {
			return path
		}
	}
	return filepath.Join(home, openclawDirs[0])
}

func openclawFile(home, state string, named bool) string {
	var dirs []string
	if named {
		dirs = append(dirs, state)
	}
	for _, dir := range openclawDirs {
		dirs = append(dirs, filepath.Join(home, dir))
	}
	for _, dir := range dirs {
		for _, name := range openclawNames {
			if path := filepath.Join(dir, name); exists(path) {
				return path
			}
		}
	}
	return filepath.Join(state, openclawNames[0])
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
