package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/parleyd/parley/internal/doctor"
)

// printDoctor writes a report for people: a block for each finding, worst
// first, and what it comes to.
func printDoctor(w io.Writer, r doctor.Report) error {
	var b bytes.Buffer
	for _, f := range r.Findings {
		findingText(&b, f)
	}
	fmt.Fprintf(&b, "Examined %s: %s, %s, %s.\n", r.StateDir, count(r.Checked.Stores, "store"), count(r.Checked.Sessions, "session"), count(r.Checked.Transcripts, "transcript"))
	b.WriteString(verdict(r) + "\n")
	_, err := b.WriteTo(w)
	return err
}

// findingText is one finding: how bad and where, what, what to do or what was
// done.
func findingText(b *bytes.Buffer, f doctor.Finding) {
	state := strings.ToUpper(string(f.Severity))
	if f.Fixed {
		state = "REPAIRED"
	}
	fmt.Fprintf(b, "%-8s  %s\n", state, f.Path)
	line := func(format string, args ...any) {
		fmt.Fprintf(b, "          "+format+"\n", args...)
	}
	line("%s", f.What)
	if len(f.Sessions) > 0 {
		line("Sessions: %s", strings.Join(f.Sessions, ", "))
	}
	switch {
	case f.Failed != "":
		line("It could not be repaired: %s", f.Failed)
	case !f.Fixed:
		line("%s", f.Cure)
	}
	for _, path := range f.Copies {
		line("What was there: %s", path)
	}
	b.WriteByte('\n')
}

// verdict is what a report comes to.
func verdict(r doctor.Report) string {
	var left []string
	for _, c := range []struct {
		n    int
		noun string
	}{{r.Counts.Errors, "error"}, {r.Counts.Warnings, "warning"}, {r.Counts.Infos, "note"}} {
		if c.n > 0 {
			left = append(left, count(c.n, c.noun))
		}
	}
	fixable := 0
	for _, f := range r.Findings {
		if f.Fixable && !f.Fixed {
			fixable++
		}
	}
	var text string
	switch {
	case len(left) == 0:
		text = "All is well."
	case r.OK:
		text = "All is well; " + strings.Join(left, ", ") + "."
	default:
		text = strings.Join(left, ", ") + "."
	}
	if r.Counts.Fixed > 0 {
		text += fmt.Sprintf(" %d repaired.", r.Counts.Fixed)
	}
	if fixable > 0 && !r.Fix {
		text += fmt.Sprintf(" parley doctor --fix repairs %d of them.", fixable)
	}
	return text
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
