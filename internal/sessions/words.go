package sessions

import (
	"strings"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/jstext"
)

// vocabulary maps the words that clients may say, in lower case, to what is
// stored.
type vocabulary map[string]string

// words makes a vocabulary of "stored: word word …" lines; a stored word
// stands for itself.
func words(lines ...string) vocabulary {
	v := vocabulary{}
	for _, line := range lines {
		canon, aliases, _ := strings.Cut(line, ":")
		v[canon] = canon
		for _, alias := range strings.Fields(aliases) {
			v[alias] = canon
		}
	}
	return v
}

func (v vocabulary) lookup(text string) (string, bool) {
	w, ok := v[jstext.Lower(text)]
	return w, ok
}

// The words of each setting. thinkingWords are those that are plain words; see
// thinkingLevel.
var (
	thinkingWords = words(
		"off",
		"low: on enable enabled thinkhard think-hard think_hard",
		"minimal: min think",
		"medium: mid med thinkharder think-harder harder",
		"high: ultra ultrathink thinkhardest highest max",
		"adaptive: auto",
	)
	verboseWords   = words("off: false no 0", "on: minimal true yes 1", "full: all everything")
	reasoningWords = words(
		"off: false no 0 hide hidden disable disabled",
		"on: true yes 1 show visible enable enabled",
		"stream: streaming draft live",
	)
	elevatedWords = words(
		"off: false no 0",
		"on: true yes 1",
		"ask: prompt approval approve",
		"full: auto auto-approve autoapprove",
	)
	execHostWords     = words("sandbox", "gateway", "node")
	execSecurityWords = words("deny", "allowlist", "full")
	execAskWords      = words("off", "on-miss", "always")
)

// thinkingLevel is the level that a text means. Spaces, "_" and "-" do not
// count inside "adaptive", "auto", "xhigh" and "extrahigh".
func thinkingLevel(text string) (string, bool) {
	text = jstext.Lower(jstext.Trim(text))
	dense := strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || jstext.IsSpace(r) {
			return -1
		}
		return r
	}, text)
	switch dense {
	case "adaptive", "auto":
		return "adaptive", true
	case xhigh, "extrahigh":
		return xhigh, true
	}
	return thinkingWords.lookup(text)
}

// thinkingHint names the levels that models of a provider take, for the
// refusal. xhigh is not in it, whatever the model: clients compare the text.
func thinkingHint(m config.ModelRef) string {
	if m.Provider == "zai" {
		return "off|on"
	}
	return "off|minimal|low|medium|high|adaptive"
}

// NormalizeThinking is the thinking level that a word means.
func NormalizeThinking(text string) (string, bool) { return thinkingLevel(text) }

// NormalizeVerbose is the verbose level that a word means.
func NormalizeVerbose(text string) (string, bool) { return verboseWords.lookup(text) }

// NormalizeReasoning is the reasoning level that a word means.
func NormalizeReasoning(text string) (string, bool) { return reasoningWords.lookup(text) }

// NormalizeElevated is the elevated level that a word means.
func NormalizeElevated(text string) (string, bool) { return elevatedWords.lookup(text) }
