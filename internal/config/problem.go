package config

import (
	"fmt"
	"strings"
)

// Issue is one problem of a configuration: where, and what is wrong.
type Issue struct {
	// Path is a dotted path, "" for the whole.
	Path    string `json:"path"`
	Message string `json:"message"`
}

// InvalidError is a configuration that does not hold.
type InvalidError struct {
	// Path is the configuration file.
	Path   string
	Issues []Issue
}

// Error names the file, and each problem on a line of its own.
func (e *InvalidError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Invalid config at %s:", e.Path)
	for _, i := range e.Issues {
		path := i.Path
		if path == "" {
			path = "<root>"
		}
		fmt.Fprintf(&b, "\n- %s: %s", path, i.Message)
	}
	return b.String()
}

// Warning is something a person should hear at start that stops nothing.
type Warning string

// A problem is an error whose text is a sentence that people and programs
// know as it stands.
type problem string

func (p problem) Error() string { return string(p) }

func problemf(format string, args ...any) error { return problem(fmt.Sprintf(format, args...)) }
