package loadtest

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
)

// Report is what a run found, for programs.
type Report struct {
	System string `json:"system"`
	Cores  int    `json:"cores"`
	Rounds int    `json:"rounds"`
	Rows   []Row  `json:"rows"`
}

// WriteJSON writes the rows for programs.
func WriteJSON(w io.Writer, rows []Row, rounds int) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(Report{runtime.GOOS + "/" + runtime.GOARCH, runtime.NumCPU(), rounds, rows})
}

// WriteMarkdown writes them for people: first what has a target, then the figures
// behind the ratios.
func WriteMarkdown(w io.Writer, rows []Row) error {
	p := &printer{w: w}
	p.line("| what | clients | measured | target | | CPU |")
	p.line("|---|---|---|---|---|---|")
	for _, r := range rows {
		p.line("| %s | %s | %s %s%s | %s | %s | %s |", r.Name, number(r.Clients), short(r.Value), r.Unit, note(r.Note), target(r), verdict(r), cpu(r))
	}
	p.line("")
	p.line("| what | clients | who | a second | p50 | p99 | CPU of one |")
	p.line("|---|---|---|---|---|---|---|")
	for _, r := range rows {
		for _, who := range []struct {
			name string
			f    *Figures
		}{{"parley", r.Parley}, {"other", r.Other}, {"floor", r.Floor}} {
			if f := who.f; f != nil {
				p.line("| %s | %s | %s | %s | %s µs | %s µs | %s µs |", r.Name, number(r.Clients), who.name, short(f.Rate), short(f.P50), short(f.P99), short(f.CPU))
			}
		}
	}
	return p.err
}

type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// short is a figure with three digits that count.
func short(v float64) string {
	switch {
	case v >= 100 || v <= -100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10 || v <= -10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func note(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

func target(r Row) string {
	switch {
	case r.Target == 0:
		return ""
	case r.Most && r.Target < 1 && r.Unit == "events":
		return "none"
	case r.Most:
		return "≤ " + short(r.Target)
	}
	return "≥ " + short(r.Target)
}

// cpu is how much CPU an operation took beside the floor's, which what else the
// machine does changes least.
func cpu(r Row) string {
	if r.Parley == nil || r.Floor == nil || r.Floor.CPU == 0 {
		return ""
	}
	return "× " + short(r.Parley.CPU/r.Floor.CPU)
}

func verdict(r Row) string {
	switch {
	case r.Target == 0:
		return ""
	case r.Met():
		return "met"
	}
	return "**missed**"
}
