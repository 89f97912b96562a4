package runs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

const (
	summing  = `{parley: {runs: {compaction: "auto"}}, agents: {defaults: {contextTokens: 200}}}`
	longText = "words and words words and words words and words words and words words and words words and words words and words words and " // 32 tokens
)

// A conversation that outgrows the model is summed up by it, when that is wanted:
// the transcript keeps everything and gains a line, and the model is told the
// summary and the newest messages from then on.
func TestConversationIsSummedUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", summing)
		var told []string
		for i := range 8 {
			id := fmt.Sprint("r", i)
			b.send(testKey, id, longText+"[[say short]]")
			if o := b.ended(id); o.Failed() {
				t.Fatalf("%s: %+v", id, o)
			}
			for _, l := range b.heard.of(id) {
				if strings.HasPrefix(l, "compacting") {
					told = append(told, l)
				}
			}
		}
		if len(told) < 2 || !strings.HasSuffix(told[0], "#2 ended=false done=false") || !strings.HasSuffix(told[1], "#3 ended=true done=true") {
			t.Errorf("told %q", told)
		}
		f, _, _ := b.stores.Lookup(testKey)
		context, err := b.lib.Context(Ref(f.Store, f.Key, f.Entry))
		if err != nil {
			t.Fatal(err)
		}
		asked, _ := readMessages(context)
		if !asked[0].Summary || asked[0].Text != summaryHead+"They talked." || len(asked) >= 16 {
			t.Errorf("the model is told %d messages, first %q", len(asked), asked[0].Text)
		}
		if n := len(slices.DeleteFunc(b.messages(testKey), func(m string) bool { return strings.HasPrefix(m, "system") })); n != 16 {
			t.Errorf("the transcript has %d messages, want 16", n)
		}
		if n, _ := b.entry(testKey).Number("compactionCount"); int(n) != len(told)/2 || strings.Contains(b.logged.String(), "older messages are not told") {
			t.Errorf("%v compactions are counted, %d told; the log:\n%s", n, len(told)/2, b.logged)
		}
	})
}

// Where there is no summary to be had, the run goes on without the oldest
// messages.
func TestFailedSummary(t *testing.T) {
	for _, tt := range []struct{ name, summary, log string }{
		{"none", "[[pieces  | ]]", "the model gave no summary"},
		{"too long", "[[pieces " + strings.Repeat("x", 201) + "]]", "the model's summary is too long"},
		{"failure", "[[fail 401]]", "401 scripted failure 401"},
		{"panic", "[[panic]]", "run panicked"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBench(t, "", summing)
				b.summary = tt.summary
				for i := range 5 {
					b.send(testKey, fmt.Sprint("r", i), longText+"[[say short]]")
					o := b.ended(fmt.Sprint("r", i))
					if o.Failed() != (tt.name == "panic" && i >= 3) {
						t.Errorf("run %d: %+v", i, o)
					}
				}
				if !strings.Contains(b.logged.String(), tt.log) {
					t.Errorf("the log does not say %q", tt.log)
				}
				if n, _ := b.entry(testKey).Number("compactionCount"); n != 0 {
					t.Errorf("%v compactions are counted", n)
				}
			})
		})
	}
}

// A run that is aborted while its conversation is summed up ends at once.
func TestAbortDuringASummary(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", summing)
		b.summary = "[[hang]]"
		for i := range 3 {
			b.send(testKey, fmt.Sprint("r", i), longText+"[[say short]]")
			b.ended(fmt.Sprint("r", i))
		}
		b.send(testKey, "r3", longText)
		synctest.Wait()
		if heard := b.heard.of("r3"); !strings.HasPrefix(heard[len(heard)-1], "compacting") {
			t.Fatalf("heard %q", heard)
		}
		a, err := b.Abort(t.Context(), AbortRequest{Key: testKey, Admin: true})
		if err != nil {
			t.Fatal(err)
		}
		a.Release()
		if o := b.ended("r3"); !o.Aborted {
			t.Errorf("the run ended as %+v", o)
		}
		if got := b.messages(testKey); !strings.HasPrefix(got[len(got)-1], "assistant aborted") {
			t.Errorf("the transcript ends with %q", got[len(got)-1])
		}
	})
}
