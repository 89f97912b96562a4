package gatewaytest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Difference is a wanted difference from what was recorded.
type Difference struct {
	Step   int
	Path   string // as in a Fault; * stands for any one name
	Reason string
}

func (d Difference) covers(f Fault) bool {
	if d.Step != f.Step {
		return false
	}
	want, got := splitPath(d.Path), splitPath(f.Path)
	return slices.EqualFunc(want, got, func(w, g string) bool { return w == "*" || w == g })
}

// Expectations say how the gateway stands to the recorded scenarios: all of them
// pass, but for the wanted differences that differences.txt lists.
type Expectations struct {
	Files       []string // all scenarios as folder/name, sorted
	Differences map[string][]Difference
}

// ReadExpectations reads the scenarios' names and the list in dir. A line that
// names no scenario is an error.
func ReadExpectations(dir string) (*Expectations, error) {
	e := &Expectations{Differences: map[string][]Difference{}}
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*.json"))
	if err != nil {
		return nil, err
	}
	for _, p := range paths {
		name := filepath.Base(filepath.Dir(p)) + "/" + strings.TrimSuffix(filepath.Base(p), ".json")
		e.Files = append(e.Files, name)
	}
	if len(e.Files) == 0 {
		return nil, fmt.Errorf("no scenarios in %s", dir)
	}
	slices.Sort(e.Files)
	return e, eachLine(filepath.Join(dir, "differences.txt"), e.addDifference)
}

// eachLine calls add for each line that is not empty and no # comment.
func eachLine(path string, add func(line string) error) error {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for i, line := range strings.Split(string(raw), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := add(line); err != nil {
			return fmt.Errorf("%s:%d: %w", filepath.Base(path), i+1, err)
		}
	}
	return nil
}

func (e *Expectations) known(name string) error {
	if _, ok := slices.BinarySearch(e.Files, name); !ok {
		return fmt.Errorf("no scenario is named %q", name)
	}
	return nil
}

func (e *Expectations) addDifference(line string) error {
	parts := strings.SplitN(line, " | ", 4)
	if len(parts) != 4 {
		return errors.New("want: folder/name | step | path | reason")
	}
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	step, err := strconv.Atoi(parts[1])
	if err != nil || parts[2] == "" || parts[3] == "" {
		return errors.New("want: folder/name | step | path | reason")
	}
	if slices.ContainsFunc(e.Differences[parts[0]], func(d Difference) bool { return d.Step == step && d.Path == parts[2] }) {
		return fmt.Errorf("%s, step %d, %s is listed twice", parts[0], step, parts[2])
	}
	e.Differences[parts[0]] = append(e.Differences[parts[0]], Difference{step, parts[2], parts[3]})
	return e.known(parts[0])
}

// Judge says what is wrong with the outcome of a scenario, nil when it is as
// expected: exactly the listed differences.
func (e *Expectations) Judge(name string, faults []Fault) error {
	var wrong []string
	for _, f := range faults {
		if !slices.ContainsFunc(e.Differences[name], func(d Difference) bool { return d.covers(f) }) {
			wrong = append(wrong, f.String())
		}
	}
	for _, d := range e.Differences[name] {
		if !slices.ContainsFunc(faults, d.covers) {
			wrong = append(wrong, fmt.Sprintf("step %d: the difference at %s that differences.txt lists did not occur", d.Step, d.Path))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return errors.New(strings.Join(wrong, "\n"))
}
