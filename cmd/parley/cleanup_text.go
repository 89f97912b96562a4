package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/upkeep"
)

// Widths of the columns of the planned actions.
const (
	actionWidth = 12
	keyWidth    = 26
	ageWidth    = 9
	modelWidth  = 14
)

// printCleanup writes a report for people, a block for each store.
func printCleanup(w io.Writer, r upkeep.Result, now time.Time) error {
	var b bytes.Buffer
	for i, st := range r.Stores {
		if i > 0 {
			b.WriteByte('\n')
		}
		if len(r.Stores) > 1 {
			fmt.Fprintf(&b, "Agent: %s\n", st.AgentID)
		}
		fmt.Fprintf(&b, "Session store: %s\n", st.StorePath)
		if st.DryRun {
			dryRunText(&b, st, now)
		} else {
			fmt.Fprintf(&b, "Applied maintenance. Current entries: %d\n", st.AfterCount)
		}
	}
	_, err := b.WriteTo(w)
	return err
}

func dryRunText(b *bytes.Buffer, st upkeep.StoreReport, now time.Time) {
	fmt.Fprintf(b, "Maintenance mode: %s\n", st.Mode)
	fmt.Fprintf(b, "Entries: %d -> %d (remove %d)\n", st.BeforeCount, st.AfterCount, st.BeforeCount-st.AfterCount)
	fmt.Fprintf(b, "Would prune missing transcripts: %d\n", st.Missing)
	fmt.Fprintf(b, "Would prune stale: %d\n", st.Pruned)
	fmt.Fprintf(b, "Would cap overflow: %d\n", st.Capped)
	if d := st.DiskBudget; d != nil {
		fmt.Fprintf(b, "Would enforce disk budget: %d -> %d bytes (files %d, entries %d)\n", d.TotalBytesBefore, d.TotalBytesAfter, d.RemovedFiles, d.RemovedEntries)
	}
	if len(st.Actions) == 0 {
		return
	}
	b.WriteString("\nPlanned session actions:\n")
	actionLine(b, "Action", "Key", "Age", "Model", "Flags")
	for _, a := range st.Actions {
		actionLine(b, a.Action, a.Key, age(a.UpdatedAt, now), a.Model, strings.Join(a.Flags, " "))
	}
}

func actionLine(b *bytes.Buffer, action, key, age, model, flags string) {
	line := fmt.Sprintf("%-*s %-*s %-*s %-*s %s", actionWidth, action, keyWidth, fit(key, keyWidth), ageWidth, age, modelWidth, fit(model, modelWidth), flags)
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}

// age is how long ago a time in ms was, in its largest unit.
func age(updatedAt rawjson.Value, now time.Time) string {
	at, ok := rawjson.Number(updatedAt)
	if !ok || at <= 0 {
		return "unknown"
	}
	return ago(now.Sub(time.UnixMilli(int64(at))))
}

// ago is how long ago something was, in its largest unit.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%dm ago", d/time.Minute)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh ago", d/time.Hour)
	}
	return fmt.Sprintf("%dd ago", d/(24*time.Hour))
}
