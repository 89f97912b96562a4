package gatewaytest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// NodeFaults reads what the Node player printed for one scenario file: its
// faults, and whether it said that the file passed. An error means that the
// file could not be played, or that the output is not understood.
func NodeFaults(scenario []byte, output string) ([]Fault, error) {
	sc, err := parseJSON(scenario)
	if err != nil {
		return nil, err
	}
	steps, _ := member(sc, "steps").([]any)
	var faults []Fault
	verdict := ""
	for _, line := range strings.Split(output, "\n") {
		switch {
		case strings.HasPrefix(line, "ok "), strings.HasPrefix(line, "FAIL "):
			verdict = line
		case strings.HasPrefix(line, "   step "):
			f, err := nodeFault(steps, strings.TrimPrefix(line, "   step "))
			if err != nil {
				return nil, err
			}
			faults = append(faults, f)
		}
	}
	if passed := strings.HasPrefix(verdict, "ok "); passed != (len(faults) == 0) || verdict == "" {
		return nil, fmt.Errorf("the Node player could not play it:\n%s", strings.TrimSpace(output))
	}
	return faults, nil
}

// nodeFault reads "INDEX LABEL: PATH: want …, got …" or "INDEX LABEL: error".
func nodeFault(steps []any, line string) (Fault, error) {
	number, rest, _ := strings.Cut(line, " ")
	i, err := strconv.Atoi(number)
	if err != nil || i < 0 || i >= len(steps) {
		return Fault{}, fmt.Errorf("not a step of the scenario: %q", line)
	}
	raw, ok := steps[i].(*object)
	if !ok {
		return Fault{}, fmt.Errorf("step %d is no object", i)
	}
	label := (&step{index: i, raw: raw}).label()
	f := Fault{Step: i, Label: label, Path: pathError, Text: rest}
	detail, ok := strings.CutPrefix(rest, label+": ")
	if m := regexp.MustCompile(`^(.*?): (want .*, got .*)$`).FindStringSubmatch(detail); ok && m != nil {
		f.Path, f.Text = m[1], m[2]
		if f.Path == "" {
			f.Path = pathWhole
		}
	}
	return f, nil
}
