package gateway

import (
	"strings"

	"github.com/parleyd/parley/internal/jstext"
)

// stopPhrases are the messages that mean: stop what goes on.
var stopPhrases = map[string]bool{
	"/stop": true,
	"stop":  true, "esc": true, "abort": true, "wait": true, "exit": true, "interrupt": true, "halt": true,
	"detente": true, "deten": true, "detén": true, "arrete": true, "arrête": true, "pare": true,
	"anhalten": true, "aufhören": true, "hoer auf": true, "stopp": true,
	"停止": true, "やめて": true, "止めて": true, "रुको": true, "توقف": true,
	"стоп": true, "остановись": true, "останови": true, "остановить": true, "прекрати": true,
	"stop openclaw": true, "openclaw stop": true, "stop action": true, "stop current action": true,
	"stop run": true, "stop current run": true, "stop agent": true, "stop the agent": true,
	"stop don't do anything": true, "stop dont do anything": true, "stop do not do anything": true, "stop doing anything": true,
	"do not do that": true, "please stop": true, "stop please": true,
}

const stopPunctuation = `.!?…,，。;；:：'"’”)]}`

// stopPhrase reports whether a message asks to stop the session's run instead
// of starting one (spec: chat 7.4).
func stopPhrase(text string) bool {
	text = jstext.Trim(text)
	if strings.HasPrefix(text, "/") {
		text, _, _ = strings.Cut(text, "\n")
		if name, rest, ok := strings.Cut(text, ":"); ok && jstext.Blank(rest) {
			text = jstext.TrimEnd(name)
		}
	}
	text = strings.NewReplacer("’", "'", "`", "'").Replace(jstext.Lower(text))
	text = jstext.CollapseSpace(text)
	return stopPhrases[jstext.Trim(strings.TrimRight(text, stopPunctuation))]
}
