package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

func distFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// understood parses a command line as parley does.
func understood(t *testing.T, args []string) {
	t.Helper()
	parser, err := kong.New(&commands{}, kong.Name("parley"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(args); err != nil {
		t.Errorf("parley %v: %v", args, err)
	}
}

// The unit starts what there is, and lets go of what the service does not need.
func TestUnit(t *testing.T) {
	unit := distFile(t, "dist/parley.service")
	line := func(key string) string {
		m := regexp.MustCompile(`(?m)^` + key + `=(.*)$`).FindStringSubmatch(unit)
		if m == nil {
			t.Errorf("no %s", key)
			return ""
		}
		return m[1]
	}
	args := strings.Fields(strings.ReplaceAll(line("ExecStart"), "${STATE_DIRECTORY}", "/var/lib/parley"))
	if args[0] != "/usr/local/bin/parley" {
		t.Errorf("starts %s", args[0])
	}
	understood(t, args[1:])
	for key, want := range map[string]string{
		"Type": "notify", "ExecReload": "/bin/kill -HUP $MAINPID", "DynamicUser": "yes", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "CapabilityBoundingSet": "",
		"StateDirectoryMode": "0700", "RestartPreventExitStatus": "2 3 5 6",
	} {
		if got := line(key); got != want {
			t.Errorf("%s=%s, want %s", key, got, want)
		}
	}
}

// The image is empty but for what the program needs, its user is nobody, and its
// command lines are understood.
func TestDockerfile(t *testing.T) {
	text := strings.ReplaceAll(distFile(t, "Dockerfile"), "\\\n", " ")
	var last []string // of the final image
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "FROM ") {
			last = nil
		}
		if line != "" && line[0] != '#' {
			last = append(last, line)
		}
	}
	if last[0] != "FROM scratch" || !slices.Contains(last, "USER 65532:65532") || !slices.Contains(last, "VOLUME /state") {
		t.Errorf("the image is\n%s", strings.Join(last, "\n"))
	}
	if !strings.Contains(text, "CGO_ENABLED=0") {
		t.Error("the binary is not static, and there is no library in an empty image")
	}
	for _, line := range last {
		word, list, ok := strings.Cut(line, "[")
		if !ok {
			continue
		}
		var args []string
		if err := json.Unmarshal([]byte("["+list), &args); err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if args[0] == "/parley" {
			args = args[1:]
		}
		if !strings.HasPrefix(word, "ENTRYPOINT") {
			understood(t, args)
		}
	}
	goMod := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(distFile(t, "go.mod"))
	if goMod == nil || !strings.Contains(text, "FROM golang:"+goMod[1]+" AS build") {
		t.Errorf("the image is not built with the Go of go.mod, %v", goMod)
	}
}
