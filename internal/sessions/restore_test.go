package sessions

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/rawjson"
)

func TestRestore(t *testing.T) {
	c := configured(t, `{}`)
	for _, tt := range []struct {
		name, recorded, present, file string
		want, taken                   string
	}{
		{name: "nothing is recorded", want: `{"sessionId":"s","updatedAt":1000}`},
		{name: "nothing is there", recorded: `{"x":1.50,"sessionId":"s","updatedAt":5,"sessionFile":"/a/s.jsonl","label":"L","spawnedBy":"p","modelOverride":"m","totalTokens":7}`,
			want: `{"x":1.50,"sessionId":"s","updatedAt":1000,"label":"L","spawnedBy":"p","modelOverride":"m","totalTokens":7}`},
		{name: "a name of its own", recorded: `{"sessionId":"s","sessionFile":"own.jsonl"}`, file: "/a/own.jsonl",
			want: `{"sessionId":"s","updatedAt":1000,"sessionFile":"/a/own.jsonl"}`},
		{name: "the label is taken", recorded: `{"label":"taken","x":1}`, want: `{"x":1,"sessionId":"s","updatedAt":1000}`, taken: "taken"},
		{name: "settings are those of now",
			recorded: `{"sessionId":"s","thinkingLevel":"low","label":"taken","totalTokens":7,"inputTokens":3,"compactionCount":2,"queueMode":"steer","verboseLevel":"on",
				"lastChannel":"slack","deliveryContext":{"channel":"slack"},"model":"m1","modelProvider":"fake"}`,
			present: `{"sessionId":"n","thinkingLevel":"high","label":"M","totalTokens":0,"inputTokens":0,"model":"m9","lastChannel":"webchat","deliveryContext":{"channel":"webchat"},"subject":"T"}`,
			want: `{"sessionId":"s","thinkingLevel":"high","label":"M","totalTokens":7,"inputTokens":3,"compactionCount":2,"queueMode":"steer",
				"lastChannel":"webchat","model":"m1","modelProvider":"fake","updatedAt":1000,"subject":"T"}`},
		{name: "another model is chosen now", recorded: `{"sessionId":"s","model":"m1","modelProvider":"fake","contextTokens":9,"modelOverride":"m1","authProfileOverride":"p"}`,
			present: `{"modelOverride":"m2","providerOverride":"fake"}`, want: `{"sessionId":"s","modelOverride":"m2","updatedAt":1000,"providerOverride":"fake"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var recorded, present Entry
			if tt.recorded != "" {
				recorded = entryOf(t, tt.recorded)
			}
			if tt.present != "" {
				present = entryOf(t, tt.present)
			}
			e, taken := Restore(recorded, present, tt.present != "", "s", tt.file, rules(c, "agent:main:x"))
			want, err := rawjson.Compact([]byte(tt.want))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(e.Raw())); diff != "" || taken != tt.taken {
				t.Errorf("label %q: %s", taken, diff)
			}
		})
	}
}

func TestFork(t *testing.T) {
	c := configured(t, `{}`)
	source := entryOf(t, `{"sessionId":"s","updatedAt":5,"label":"L","thinkingLevel":"high","fastMode":false,"sendPolicy":"deny","origin":{"label":"o"},"lastChannel":"slack","lastTo":"t",
		"deliveryContext":{"channel":"slack"},"channel":"slack","subject":"S","displayName":"D","chatType":"group","skillsSnapshot":{"a":1},"providerOverride":"fake","modelOverride":"m2",
		"spawnedBy":"p","spawnDepth":1,"parentSessionKey":"q","totalTokens":7,"model":"m2","sessionFile":"x.jsonl","status":"done","elevatedLevel":"full","execHost":"node","groupActivation":"always","x":1}`)
	e, err := Fork(source, "agent:main:x", " N ", rules(c, "agent:main:dashboard:n"))
	if err != nil {
		t.Fatal(err)
	}
	id := e.SessionID()
	const want = `{"sessionId":"ID","updatedAt":1000,"thinkingLevel":"high","fastMode":false,"sendPolicy":"deny","skillsSnapshot":{"a":1},"providerOverride":"fake","modelOverride":"m2",` +
		`"groupActivation":"always","elevatedLevel":"full","execHost":"node","parentSessionKey":"agent:main:x","forkedFromParent":true,"label":"N"}`
	if diff := cmp.Diff(want, strings.Replace(string(e.Raw()), id, "ID", 1)); diff != "" || id == "s" {
		t.Error(diff)
	}
	for label, fault := range map[string]string{" ": "invalid label: empty", "taken": "label already in use: taken"} {
		if _, err := Fork(source, "agent:main:x", label, rules(c, "agent:main:dashboard:n")); err == nil || err.Error() != fault {
			t.Errorf("label %q: %v", label, err)
		}
	}
}
