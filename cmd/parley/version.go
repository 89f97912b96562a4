package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/parleyd/parley/internal/rawjson"
)

// version is set by the linker in a release (see Makefile) and never changes
// after that.
var version string

// versionCommand is `parley version`.
type versionCommand struct {
	JSON bool `help:"Print JSON."`
}

// Run prints the version.
func (c *versionCommand) Run(io streams) error {
	if c.JSON {
		_, err := fmt.Fprintf(io.out, "%s\n", rawjson.MustMarshal(map[string]string{
			"version": versionText(), "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH,
		}))
		return err
	}
	_, err := fmt.Fprintf(io.out, "parley %s (%s, %s/%s)\n", versionText(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// versionText is the release, else what the build knows of itself, else "dev".
func versionText() string {
	if version != "" {
		return version
	}
	if build, ok := debug.ReadBuildInfo(); ok && build.Main.Version != "" && build.Main.Version != "(devel)" {
		return build.Main.Version
	}
	return "dev"
}
