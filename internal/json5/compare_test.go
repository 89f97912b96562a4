package json5

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"

	"github.com/parleyd/parley/internal/rawjson"
)

// The npm package json5 is what OpenClaw reads its configuration with, so a
// file must mean the same to both. JSON5_MODULES names the node_modules folder
// that holds it; .ci/run installs it and sets that.
func TestSameAsNodePackage(t *testing.T) {
	if os.Getenv("JSON5_MODULES") == "" {
		t.Skip("JSON5_MODULES is not set")
	}
	cases := rawjson.MustMarshal(comparisons())
	cmd := exec.CommandContext(t.Context(), "node", "testdata/compare.mjs")
	cmd.Stdin = bytes.NewReader(cases)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out[:min(len(out), 8000)])
	}
}

type comparison struct {
	Text   string `json:"text"`
	Read   string `json:"json,omitempty"`
	Line   int    `json:"line,omitzero"`
	Column int    `json:"column,omitzero"`
}

// comparisons are the texts of the tables and random changes of them.
func comparisons() []comparison {
	var texts []string
	for _, tt := range accepted {
		texts = append(texts, tt.text)
	}
	for _, tt := range refused {
		if tt.name != "too deep" {
			texts = append(texts, tt.text)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	const letters = "{}[]:,'\"\\/*\n\t abeE0x19.+-_$nullInfinityNaN\u2028é"
	pool := []rune(letters)
	for range 20000 {
		text := []rune(texts[r.IntN(len(accepted)+len(refused)-1)])
		for range 1 + r.IntN(3) {
			at := r.IntN(len(text) + 1)
			switch r.IntN(3) {
			case 0:
				text = append(text[:at:at], append([]rune{pool[r.IntN(len(pool))]}, text[at:]...)...)
			case 1:
				text = text[:at]
			default:
				if at < len(text) {
					text = append(text[:at:at], text[at+1:]...)
				}
			}
		}
		texts = append(texts, string(text))
	}
	out := make([]comparison, 0, len(texts))
	for _, text := range texts {
		out = append(out, compare(text))
	}
	return out
}

func compare(text string) comparison {
	got, err := Parse(text)
	if e, ok := errors.AsType[*Error](err); ok {
		return comparison{Text: text, Line: e.Line, Column: e.Column}
	}
	return comparison{Text: text, Read: string(got)}
}
