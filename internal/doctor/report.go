package doctor

import (
	"cmp"
	"fmt"
	"slices"
)

// Severity is how bad a finding is.
type Severity string

// The severities. Only errors and warnings that are left make a report fail.
const (
	Error   Severity = "error"   // something does not work, or will not at the next start
	Warning Severity = "warning" // something is not as it should be, and all goes on
	Info    Severity = "info"    // good to know
)

// Report is the result of an examination, as the method doctor answers it.
type Report struct {
	OK       bool      `json:"ok"` // no error and no warning is left
	StateDir string    `json:"stateDir"`
	Fix      bool      `json:"fix"`
	Checked  Checked   `json:"checked"`
	Counts   Counts    `json:"counts"`
	Findings []Finding `json:"findings"` // worst first, then what was repaired

	// Ended are the canonical keys of sessions whose run was marked as killed.
	Ended []string `json:"-"`
}

// Checked is how much was looked at.
type Checked struct {
	Stores      int   `json:"stores"`
	Sessions    int   `json:"sessions"`
	Transcripts int   `json:"transcripts"`
	Bytes       int64 `json:"bytes"` // of transcripts
}

// Counts are how many findings are left, and how many were repaired.
type Counts struct {
	Errors   int `json:"errors"`
	Warnings int `json:"warnings"`
	Infos    int `json:"infos"`
	Fixed    int `json:"fixed"`
}

// Finding is one thing that is wrong, or good to know.
type Finding struct {
	Severity Severity `json:"severity"`
	Check    string   `json:"check"` // which check it comes from; stable, for programs
	Path     string   `json:"path"`
	What     string   `json:"what"`
	Cure     string   `json:"cure"`              // what to do about it
	Fixable  bool     `json:"fixable"`           // Fix repairs it
	Fixed    bool     `json:"fixed"`             // it was repaired
	Failed   string   `json:"failed,omitzero"`   // why it could not be
	Copies   []string `json:"copies,omitzero"`   // of what the repair changed
	Sessions []string `json:"sessions,omitzero"` // the first that are concerned, by canonical key
}

// NewReport is the report of somebody who could not examine and knows this.
func NewReport(stateDir string, fix bool, found []Finding) Report {
	r := Report{StateDir: stateDir, Fix: fix, Findings: found}
	r.finish()
	return r
}

// maxSessions is how many sessions a finding names; What has their number.
const maxSessions = 20

// named are the first of the sessions that a finding is about.
func named(keys []string) []string {
	return slices.Clone(keys[:min(len(keys), maxSessions)])
}

// rank orders severities, worst first.
func (s Severity) rank() int { return slices.Index([]Severity{Error, Warning, Info}, s) }

// worse reports whether f is worse than g: what is repaired is least.
func (f Finding) worse(g Finding) bool {
	if f.Fixed != g.Fixed {
		return g.Fixed
	}
	return f.Severity.rank() < g.Severity.rank()
}

// finish sorts the findings, what is left before what is repaired, and counts
// them.
func (r *Report) finish() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		switch {
		case a.worse(b):
			return -1
		case b.worse(a):
			return 1
		}
		return cmp.Compare(a.Path, b.Path)
	})
	if r.Findings == nil {
		r.Findings = []Finding{}
	}
	for _, f := range r.Findings {
		switch {
		case f.Fixed:
			r.Counts.Fixed++
		case f.Severity == Error:
			r.Counts.Errors++
		case f.Severity == Warning:
			r.Counts.Warnings++
		default:
			r.Counts.Infos++
		}
	}
	r.OK = r.Counts.Errors+r.Counts.Warnings == 0
}

// size is a number of bytes for people.
func size(n int64) string {
	switch {
	case n < 10_000:
		return plural(int(n), "byte", "bytes")
	case n < 10_000_000:
		return fmt.Sprintf("%d kB", n/1000)
	}
	return fmt.Sprintf("%d MB", n/1_000_000)
}
