package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/sessions"
)

// setting is a command that shows or changes one field of the session.
type setting struct {
	noun    string // in what it says of itself
	options func(config.ModelRef) []string
	// listed is the options where the setting is shown, "" when as they are.
	listed string
	// usage is the answer where it cannot be shown, or more than a word follows.
	usage string
	// read tells the word that a text means.
	read func(text string) (word string, ok bool)
	// patch is the change, said what the answer to it.
	patch func(word string) protocol.SessionChanges
	said  func(word string) string
	now   func(g *Gateway, key string, e sessions.Entry) string
}

var settings = map[string]setting{
	"think": {
		noun: "thinking level", options: thinkingOptions, read: sessions.NormalizeThinking,
		patch: func(w string) protocol.SessionChanges {
			return protocol.SessionChanges{ThinkingLevel: protocol.Some(w)}
		},
		said: func(w string) string {
			if w == "off" {
				return "Thinking disabled."
			}
			return "Thinking level set to " + w + "."
		},
		now: (*Gateway).thinkingOf,
	},
	"verbose": {
		noun: "verbose level", options: fixed("off", "on", "full"), read: sessions.NormalizeVerbose, listed: "on, full, off", usage: "⚙️ Usage: /verbose on|full|off",
		patch: func(w string) protocol.SessionChanges {
			return protocol.SessionChanges{VerboseLevel: protocol.Some(w)}
		},
		said: func(w string) string {
			return map[string]string{"on": "⚙️ Verbose logging enabled.", "full": "⚙️ Verbose logging set to full.", "off": "⚙️ Verbose logging disabled."}[w]
		},
		now: func(g *Gateway, _ string, e sessions.Entry) string {
			return firstOf(e.Text("verboseLevel"), g.cfg().Agents.Defaults.VerboseDefault, "off")
		},
	},
	"fast": {
		noun: "fast mode", options: fixed("on", "off"), read: oneOfWords("on", "off"), usage: "⚙️ Usage: /fast on|off",
		patch: func(w string) protocol.SessionChanges {
			return protocol.SessionChanges{FastMode: protocol.Some(w == "on")}
		},
		said: func(w string) string {
			return map[string]string{"on": "⚙️ Fast mode enabled.", "off": "⚙️ Fast mode disabled."}[w]
		},
		now: func(_ *Gateway, _ string, e sessions.Entry) string {
			switch on, set := e.Bool("fastMode"); {
			case !set:
				return "off (default)"
			case on:
				return "on"
			}
			return "off"
		},
	},
	"send": {
		noun: "send policy", read: oneOfWords("on", "off", "inherit"), usage: "⚙️ Usage: /send on|off|inherit",
		patch: func(w string) protocol.SessionChanges {
			p := protocol.Opt[string]{Set: true, Null: true}
			switch w {
			case "on":
				p = protocol.Some("allow")
			case "off":
				p = protocol.Some("deny")
			}
			return protocol.SessionChanges{SendPolicy: p}
		},
		said: func(w string) string { return "⚙️ Send policy set to " + w + "." },
	},
}

func fixed(words ...string) func(config.ModelRef) []string {
	return func(config.ModelRef) []string { return words }
}

func oneOfWords(words ...string) func(string) (string, bool) {
	return func(text string) (string, bool) {
		for _, w := range words {
			if strings.EqualFold(text, w) {
				return w, true
			}
		}
		return "", false
	}
}

// thinkingOptions are the levels that a model has.
func thinkingOptions(ref config.ModelRef) []string {
	if config.XHigh(ref) {
		return []string{"off", "minimal", "low", "medium", "high", "xhigh", "adaptive"}
	}
	return []string{"off", "minimal", "low", "medium", "high", "adaptive"}
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// settingCommand shows or changes one setting of a session. Text that follows the
// word is not dropped unseen: then nothing changes.
func (g *Gateway) settingCommand(ctx context.Context, key string, cmd command) (string, error) {
	s := settings[cmd.name]
	word, more := firstWord(cmd.text)
	if s.usage != "" && more != "" {
		return s.usage, nil
	}
	value, ok := s.read(word)
	if !ok {
		return g.showSetting(key, s, word)
	}
	refusal, err := g.patchSession(ctx, key, s.patch(value))
	if refusal != "" { // it begins with the name of a parameter
		refusal = strings.ToUpper(s.noun[:1]) + s.noun[1:] + strings.TrimPrefix(refusal, "thinkingLevel") + "."
	}
	if err != nil || refusal != "" {
		return refusal, err
	}
	return s.said(value), nil
}

// showSetting tells where a setting stands, or that it knows no such word.
func (g *Gateway) showSetting(key string, s setting, word string) (string, error) {
	if s.now == nil {
		return s.usage, nil
	}
	f, _, err := g.stores.Lookup(key)
	if err != nil {
		return "", err
	}
	options := strings.Join(s.options(g.engine.ModelOf(key, f.Entry)), ", ")
	if word == "" {
		return fmt.Sprintf("Current %s: %s.\nOptions: %s.", s.noun, s.now(g, key, f.Entry), firstOf(s.listed, options)), nil
	}
	return fmt.Sprintf("Unrecognized %s %q. Valid levels: %s.", s.noun, word, options), nil
}

// patchSession changes a session as sessions.patch does. A change that is not
// allowed is refused in words.
func (g *Gateway) patchSession(ctx context.Context, key string, p protocol.SessionChanges) (refusal string, err error) {
	f, err := g.commandSession(ctx, key)
	if err != nil {
		return "", err
	}
	err = f.Store.Update(ctx, func(tx *sessions.Tx) error {
		e, _ := tx.Claim(key)
		next, err := sessions.Patch(e, p, g.rules(key, tx))
		if err == nil {
			tx.Put(key, next)
		}
		return err
	})
	if e, ok := errors.AsType[*protocol.Error](err); ok && e.Code == protocol.InvalidRequest {
		return e.Message, nil
	}
	return "", err
}

// modelCommand shows or chooses the session's model.
func (g *Gateway) modelCommand(ctx context.Context, key, text string) (string, error) {
	f, _, err := g.stores.Lookup(key)
	if err != nil {
		return "", err
	}
	if text == "" || strings.EqualFold(text, "status") {
		return "Current: " + g.engine.ModelOf(key, f.Entry).String() + `
Choose: /model <provider/model>
List: /models
More: /status`, nil
	}
	ref, ok := g.findModel(key, text)
	if !ok {
		if ref, ok := g.cfg().ParseModel(g.keys().Agent(key), text); ok {
			text = ref.String()
		}
		return fmt.Sprintf(`Model "%s" is not allowed. Use /models to list providers, or /models <provider> to list models.`, text), nil
	}
	refusal, err := g.patchSession(ctx, key, protocol.SessionChanges{Model: protocol.Some(ref.String())})
	if err != nil || refusal != "" {
		return refusal, err
	}
	if ref == g.cfg().DefaultModel(g.keys().Agent(key)) {
		return fmt.Sprintf("Model reset to default (%s).", ref), nil
	}
	return fmt.Sprintf("Model set to %s.", ref), nil
}

// findModel is the model that a person means: one that is configured and that
// the session may use. A bare name may be any provider's.
func (g *Gateway) findModel(key, text string) (config.ModelRef, bool) {
	agent := g.keys().Agent(key)
	usable := func(ref config.ModelRef) bool {
		_, known := g.cfg().Model(ref)
		listed := len(g.cfg().Agents.Defaults.Models) > 0
		return (known || listed) && g.cfg().ModelAllowed(agent, ref, sessions.Subagent(key))
	}
	ref, ok := g.cfg().ParseModel(agent, text)
	if ok && usable(ref) {
		return ref, true
	}
	for _, m := range g.cfg().Catalogue() {
		found := config.ModelRef{Provider: m.Provider, Model: m.Model.ID}
		if strings.EqualFold(m.Model.ID, jstext.Trim(text)) && usable(found) {
			return found, true
		}
	}
	return config.ModelRef{}, false
}
