package runs

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// When a server finds the conversation too long, it is told at most half of it, once.
func TestTooLongIsToldShorter(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", `{agents: {defaults: {model: {primary: "echo/small"}}}}`)
		for i := range 3 {
			id := fmt.Sprint("r", i)
			b.send(testKey, id, longText+"[[say short]]")
			if o := b.ended(id); o.Failed() {
				t.Errorf("%s: %+v", id, o)
			}
		}
		if want := []int{1, 3, 5, 1}; !slices.Equal(b.asked, want) {
			t.Errorf("requests with %v messages, want %v", b.asked, want)
		}
		if !strings.Contains(b.logged.String(), "older messages are not told") {
			t.Error("the log does not tell what was left out")
		}
	})
}

// A message that is too long by itself is not sent again.
func TestTooLongAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r", "[[too long]]")
		if o := b.ended("r"); !o.Failed() || len(b.asked) != 1 {
			t.Errorf("%+v after %d requests", o, len(b.asked))
		}
	})
}

// What a summary costs is counted once, by the price of the model that made it,
// also when the run then fails.
func TestSummaryIsCharged(t *testing.T) {
	const price = `models: {providers: {fake: {baseUrl: "http://127.0.0.1:1", apiKey: "k", models: [{id: "m", name: "M", contextWindow: 200, cost: {input: 1, output: 1, cacheRead: 0, cacheWrite: 0}}]}}}`
	for _, end := range []string{"[[say short]]", "[[fail 401]]"} {
		bubble(t, func(t *testing.T) {
			b := newBench(t, "", `{`+price+`, parley: {runs: {compaction: "auto"}}, agents: {defaults: {model: {primary: "fake/m"}}}}`)
			b.summary = "[[say notes]]"
			cost := func() float64 {
				c, _ := b.entry(testKey).Number("estimatedCostUsd")
				return c
			}
			one, before, sums := 0.0, 0.0, 0.0
			for i := 0; sums == 0 && i < 10; i++ {
				if i > 0 {
					before = cost()
				}
				text := longText + "[[say short]]"
				if i > 1 {
					text = longText + end
				}
				b.send(testKey, fmt.Sprint("r", i), text)
				b.ended(fmt.Sprint("r", i))
				if sums, _ = b.entry(testKey).Number("compactionCount"); i == 0 {
					one = cost()
				}
			}
			want := 2 * one // the model counts all its answers alike
			if end != "[[say short]]" {
				want = one
			}
			if sums != 1 || one == 0 || math.Abs(cost()-before-want) > one/5 {
				t.Errorf("%s: %v summaries; a run costs %v, the one that sums up %v, want %v", end, sums, one, cost()-before, want)
			}
		})
	}
}
