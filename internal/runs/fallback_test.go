package runs

import (
	"slices"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/rawjson"
)

// withFallbacks has models that do as their names say: see scripted.
const withFallbacks = `{
	models: {providers: {
		a: {api: "echo", models: [{id: "fails"}, {id: "local"}, {id: "cuts"}, {id: "acts"}, {id: "good"}]},
		b: {api: "echo", models: [{id: "fails"}, {id: "good"}]},
		c: {api: "echo", models: [{id: "fails"}, {id: "good"}]},
	}},
	agents: {defaults: {model: {primary: "a/fails", fallbacks: ["b/fails", "b/good"]}}},
}`

func TestFallbacks(t *testing.T) {
	for _, tt := range []struct {
		name, chosen string // by the session; "" is the default model
		settings     string
		status       Status
		shown        string // the error
		heard        []string
		model        string // of the answer
	}{
		{
			name: "one after another", settings: withFallbacks, status: Done, model: "b/good",
			heard: []string{
				`fell back r #2 a/fails→b/fails before="" reason="a/fails failed" attempts=1`,
				`fell back r #3 a/fails→b/good before="" reason="b/fails failed" attempts=2`,
			},
		},
		{name: "never after something was said", chosen: "a/cuts", settings: withFallbacks, status: Failed, shown: "a/cuts cut off", model: "a/cuts"},
		{name: "never after a tool was used", chosen: "a/acts", settings: withFallbacks, status: Failed, shown: "a/acts failed", model: "a/acts"},
		{name: "not when the failure is our own", chosen: "a/local", settings: withFallbacks, status: Failed, shown: "the disk is gone", model: "a/local"},
		{name: "not for a model of another provider", chosen: "c/fails", settings: withFallbacks, status: Failed, shown: "c/fails failed", model: "c/fails"},
		{
			name: "a fallback that was chosen ends at the default", chosen: "b/fails", settings: strings.Replace(withFallbacks, `"b/fails", "b/good"`, `"b/fails"`, 1),
			status: Failed, shown: "All models failed (2): b/fails: b/fails failed | a/fails: a/fails failed", model: "b/fails",
			heard: []string{`fell back r #2 b/fails→a/fails before="" reason="b/fails failed" attempts=1`},
		},
		{name: "not without being asked for", settings: strings.Replace(withFallbacks, `, fallbacks: ["b/fails", "b/good"]`, ``, 1), status: Failed, shown: "a/fails failed", model: "a/fails"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBench(t, "", tt.settings)
				if tt.chosen != "" {
					provider, name, _ := strings.Cut(tt.chosen, "/")
					b.change(testKey, func(o *rawjson.Object) {
						o.Put("sessionId", newID())
						o.Put("providerOverride", provider)
						o.Put("modelOverride", name)
					})
				}
				b.send(testKey, "r", "hello")
				if o := b.ended("r"); o.Error != tt.shown {
					t.Errorf("the run ended with %q, want %q", o.Error, tt.shown)
				}
				var heard []string
				for _, l := range b.heard.of("r") {
					if strings.HasPrefix(l, "fell back") {
						heard = append(heard, l)
					}
				}
				if !slices.Equal(heard, tt.heard) {
					t.Errorf("heard %q, want %q", heard, tt.heard)
				}
				e := b.entry(testKey)
				if got := e.Text("modelProvider") + "/" + e.Text("model"); got != tt.model || e.Text("status") != string(tt.status) {
					t.Errorf("the entry names %s and %s, want %s and %s", got, e.Text("status"), tt.model, tt.status)
				}
				last := b.raw(testKey)[1]
				if got := last.Text("provider") + "/" + last.Text("model"); got != tt.model {
					t.Errorf("the transcript names %s, want %s", got, tt.model)
				}
			})
		})
	}
}

// The entry remembers that a fallback answered, and it is told when the session's
// own model answers again.
func TestFallbackIsCleared(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", withFallbacks)
		b.send(testKey, "one", "hello")
		b.ended("one")
		e := b.entry(testKey)
		if e.Text(noticeChosen) != "a/fails" || e.Text(noticeActive) != "b/good" || e.Text(noticeReason) != "b/fails failed" {
			t.Errorf("the entry says nothing of the fallback: %s", e.Raw())
		}
		f, _, _ := b.stores.Lookup(testKey)
		if provider, _, name, _ := b.lib.LastModel(Ref(f.Store, f.Key, f.Entry)); provider+"/"+name != "b/good" {
			t.Errorf("the last model in the transcript is %s/%s", provider, name)
		}
		b.change(testKey, func(o *rawjson.Object) {
			o.Put("providerOverride", "a")
			o.Put("modelOverride", "good")
		})
		b.send(testKey, "two", "hello")
		b.ended("two")
		if heard := b.heard.of("two"); !slices.Contains(heard, `fell back two #4 a/good→a/good before="b/good" reason="" attempts=0`) {
			t.Errorf("heard %q", heard)
		}
		if e := b.entry(testKey); e.Text(noticeActive) != "" {
			t.Errorf("the entry still tells of a fallback: %s", e.Raw())
		}
	})
}

func TestFallbacksOfAModel(t *testing.T) {
	b := newBench(t, "", withFallbacks)
	for chosen, want := range map[string]string{
		"a/fails": "b/fails b/good", "a/good": "b/fails b/good a/fails", "b/good": "b/fails a/fails", "b/other": "", "c/good": "",
	} {
		provider, name, _ := strings.Cut(chosen, "/")
		r := &run{e: b.Engine, turn: Turn{Key: testKey}, chosen: config.ModelRef{Provider: provider, Model: name}}
		var got []string
		for _, ref := range r.fallbacks() {
			got = append(got, ref.String())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("fallbacks of %s: %q, want %q", chosen, got, want)
		}
	}
}
