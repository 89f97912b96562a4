package gateway

import (
	"strings"

	"github.com/parleyd/parley/internal/rawjson"
)

// told is a line of the log as logs.tail tells it. OpenClaw's clients read the
// message of a line from a member named by a number and its level from _meta, as
// their own logger writes them; without these the Control UI shows raw JSON that
// it cannot filter, and `openclaw logs --json` no message. So both are added
// behind what the line has. A line of another logger stays as it is.
func told(line string) string {
	o, err := rawjson.Parse([]byte(line))
	if err != nil || o.Text("msg") == "" || o.Text("level") == "" || o.Has("_meta") || o.Has("1") {
		return line
	}
	o.Put("1", lineText(o))
	o.Put("_meta", lineMeta{LogLevelName: o.Text("level"), Date: o.Text("time")})
	return string(o.JSON())
}

// lineMeta is what clients look for in _meta.
type lineMeta struct {
	LogLevelName string `json:"logLevelName"`
	Date         string `json:"date,omitzero"`
}

// lineText is the message of a line with what was logged beside it.
func lineText(o rawjson.Object) string {
	var b strings.Builder
	b.WriteString(o.Text("msg"))
	for name, value := range o.All() {
		if name == "time" || name == "level" || name == "msg" {
			continue
		}
		b.WriteString(" " + name + "=")
		if text, ok := rawjson.Text(value); ok && text != "" && !strings.ContainsAny(text, " \"=") {
			b.WriteString(text)
		} else {
			b.Write(value)
		}
	}
	return b.String()
}
