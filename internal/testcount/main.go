// Command testcount reads what `go test -json` prints and says what ran: one
// line per package, the whole output of what failed or was skipped, and last
// the counts. It fails unless some tests ran and all of them passed.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"github.com/parleyd/parley/internal/rawjson"
)

func main() {
	c, err := count(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testcount:", err)
		os.Exit(1)
	}
	fmt.Printf("tests: %d passed, %d failed, %d skipped\n", c.passed, c.failed, c.skipped)
	if c.failed > 0 || c.skipped > 0 || c.passed == 0 {
		os.Exit(1)
	}
}

// event is one line of `go test -json`.
type event struct {
	Action     string  `json:"Action"`
	Package    string  `json:"Package"`
	ImportPath string  `json:"ImportPath"` // in place of Package when a build fails
	Test       string  `json:"Test"`
	Elapsed    float64 `json:"Elapsed"`
	Output     string  `json:"Output"`
}

// counts are tests and subtests. A package that fails without a failed test,
// because it does not build or its process ended, counts as one failure.
type counts struct{ passed, failed, skipped int }

type counter struct {
	counts
	out       io.Writer
	output    map[string]*strings.Builder // of each test and package
	perFailed map[string]int              // failed tests of a package
	perPassed map[string]int
}

// count reads the events and writes the report.
func count(in io.Reader, out io.Writer) (counts, error) {
	c := &counter{out: out, output: map[string]*strings.Builder{}, perFailed: map[string]int{}, perPassed: map[string]int{}}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line = strings.TrimSpace(line); line != "" {
			c.line(line)
		}
		if err == io.EOF {
			return c.counts, nil
		}
		if err != nil {
			return c.counts, err
		}
	}
}

// line takes one line; what is no event, such as make's own words, is passed
// on.
func (c *counter) line(line string) {
	var e event
	if err := rawjson.Unmarshal([]byte(line), &e); err != nil {
		fmt.Fprintln(c.out, line)
		return
	}
	key := e.Package + e.ImportPath + " " + e.Test
	switch {
	case e.Action == "output" || e.Action == "build-output":
		if c.output[key] == nil {
			c.output[key] = new(strings.Builder)
		}
		c.output[key].WriteString(e.Output)
		return
	case e.Action == "build-fail":
		c.show(key)
	case e.Test != "":
		c.test(e, key)
	case e.Action == "pass" || e.Action == "skip":
		fmt.Fprintf(c.out, "ok    %s: %d passed, %.1f s\n", e.Package, c.perPassed[e.Package], e.Elapsed)
	case e.Action == "fail":
		c.failedPackage(e, key)
	default:
		return
	}
	delete(c.output, key)
}

func (c *counter) test(e event, key string) {
	switch e.Action {
	case "pass":
		c.passed++
		c.perPassed[e.Package]++
	case "fail":
		c.failed++
		c.perFailed[e.Package]++
		c.show(key)
	case "skip":
		c.skipped++
		c.show(key)
	}
}

// failedPackage reports a package. Without a failed test, its own output and
// that of the tests which had not ended say why.
func (c *counter) failedPackage(e event, key string) {
	if c.perFailed[e.Package] == 0 {
		c.failed++
		c.show(key)
	}
	var open []string
	for k := range c.output {
		if strings.HasPrefix(k, e.Package+" ") && k != key {
			open = append(open, k)
		}
	}
	sort.Strings(open)
	for _, k := range open {
		c.show(k)
		delete(c.output, k)
	}
	fmt.Fprintf(c.out, "FAIL  %s: %d passed, %d failed, %.1f s\n", e.Package, c.perPassed[e.Package], c.perFailed[e.Package], e.Elapsed)
}

// Of one test's output this much is shown: its beginning, where the first
// fault stands, and its end.
const (
	headShown = 4 << 10
	tailShown = 12 << 10
)

func (c *counter) show(key string) {
	if c.output[key] == nil {
		return
	}
	text := c.output[key].String()
	if cut := len(text) - headShown - tailShown; cut > 0 {
		text = fmt.Sprintf("%s\n… %d bytes …\n%s", text[:headShown], cut, text[headShown+cut:])
	}
	fmt.Fprint(c.out, text)
}
