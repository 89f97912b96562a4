package sessionstest

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/parleyd/parley/internal/gatewaytest"
)

// levelNames are the fields that take words.
var levelNames = []string{"thinkingLevel", "verboseLevel", "reasoningLevel", "elevatedLevel", "execHost", "execSecurity", "execAsk"}

// TestWords says every word to every level: random calls would say most of
// them only in very long runs.
func TestWords(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "parley.json")
	write(t, config, conf{store: usualStore}.text(dir))
	synctest.Test(t, func(t *testing.T) {
		l, stop := start(t, dir, config, nil)
		defer stop()
		c := gatewaytest.Connect(t, l, "")
		m := newModel(conf{store: usualStore})
		for _, name := range levelNames {
			for _, word := range levelWords {
				p := params{"key": "a", name: word}
				text, err := json.Marshal(p)
				if err != nil {
					t.Fatal(err)
				}
				payload, fault := c.Try("sessions.patch", string(text))
				var answer struct {
					Entry   entry
					Message string
				}
				if err := json.Unmarshal(append(payload, fault...), &answer); err != nil {
					t.Fatal(err)
				}
				if _, e, refusal := m.patch(p, newIDs{}); answer.Entry[name] != e[name] || answer.Message != refusal {
					t.Errorf("%s %q became %v, %q; the model says %v, %q", name, word, answer.Entry[name], answer.Message, e[name], refusal)
				}
			}
		}
	})
}
