// Command release makes what is published of a version: for each system a static
// binary in an archive, a list of what it is made of (CycloneDX), and
// SHA256SUMS. The same sources and the same Go give the same bytes.
//
//	go run ./internal/release -version v1.2.3 -out dist/out [os/arch ...]
//	go run ./internal/release -check dist/out
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// targets are the systems of a release. Windows has neither the signals nor the
// locks that the daemon works with.
var targets = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64"}

func main() {
	version := flag.String("version", "", "the version that is released")
	out := flag.String("out", "dist/out", "where the files go; emptied before")
	checked := flag.String("check", "", "check the files in this directory instead of making them")
	flag.Parse()
	var err error
	switch {
	case *checked != "":
		err = check(*checked)
	case *version == "" || strings.ContainsAny(*version, "/ \\"):
		err = errors.New("-version must say which version this is")
	default:
		err = release(*version, *out, flag.Args())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// release makes all files of a version.
func release(version, out string, systems []string) error {
	if len(systems) == 0 {
		systems = targets
	}
	when, err := commitTime()
	if err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(out), os.MkdirAll(out, 0o755)); err != nil {
		return err
	}
	build, err := os.MkdirTemp("", "release")
	if err != nil {
		return err
	}
	defer os.RemoveAll(build)
	for _, s := range systems {
		if err := releaseFor(version, out, build, s, when); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return writeSums(out)
}

func releaseFor(version, out, build, system string, when time.Time) error {
	goos, arch, ok := strings.Cut(system, "/")
	if !ok {
		return errors.New("a system is os/arch, such as linux/amd64")
	}
	name := fmt.Sprintf("parley-%s-%s-%s", version, goos, arch)
	binary := filepath.Join(build, name)
	c := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid= -X main.version="+version, "-o", binary, "./cmd/parley")
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+arch)
	c.Stderr = os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	parts, err := materials(binary, version)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, name+".cdx.json"), parts, 0o644); err != nil {
		return err
	}
	files := map[string]string{"parley": binary}
	for _, extra := range extras(goos) {
		files[extra] = extra
	}
	return archive(filepath.Join(out, name+".tar.gz"), name, files, when)
}

// extras are the files beside the binary, those that there are.
func extras(goos string) (out []string) {
	wanted := []string{"LICENSE", "README.md", "CHANGELOG.md", "doc/operations.md", "doc/configuration.md"}
	if goos == "linux" {
		wanted = append(wanted, "dist/parley.service")
	}
	for _, pattern := range []string{"dist/completions/*", "dist/man/*"} {
		found, _ := filepath.Glob(pattern) // the patterns are good ones
		wanted = append(wanted, found...)
	}
	for _, f := range wanted {
		if _, err := os.Stat(f); err == nil {
			out = append(out, f)
		}
	}
	return out
}

// commitTime is when what is released was committed: SOURCE_DATE_EPOCH, or what
// git says.
func commitTime() (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		said, err := exec.Command("git", "log", "-1", "--format=%ct").Output()
		if err != nil {
			return time.Time{}, fmt.Errorf("ask git when this was committed (or set SOURCE_DATE_EPOCH): %w", err)
		}
		text = strings.TrimSpace(string(said))
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("the time of the commit: %w", err)
	}
	return time.Unix(seconds, 0).UTC(), nil
}
