package gateway

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

// command is a message that begins with the name of a command (spec: chat 11).
type command struct {
	name string // canonical
	args string // the rest of the first line, trimmed
	text string // all that follows the name, trimmed
}

// knownCommand is one entry of the table of commands.
type knownCommand struct {
	name string   // canonical
	also []string // other names
	// equal is the method that does the same: who may not call it may not write
	// the command either. "" is for what everybody may know.
	equal string
}

// commands is every command that the gateway answers by itself.
var commands = []knownCommand{
	{name: "compact", equal: "sessions.compact"},
	{name: "fast", equal: "sessions.patch"},
	{name: "help"},
	{name: "model", equal: "sessions.patch"},
	{name: "models", equal: "models.list"},
	{name: "new", equal: "sessions.reset"},
	{name: "reset", equal: "sessions.reset"},
	{name: "send", equal: "sessions.patch"},
	{name: "status", equal: "sessions.list"},
	{name: "think", also: []string{"thinking", "t"}, equal: "sessions.patch"},
	{name: "verbose", also: []string{"v"}, equal: "sessions.patch"},
}

// commandNamed is the command that a name in lower case means, nil when there is
// none.
func commandNamed(name string) *knownCommand {
	i := slices.IndexFunc(commands, func(k knownCommand) bool { return k.name == name || slices.Contains(k.also, name) })
	if i < 0 {
		return nil
	}
	return &commands[i]
}

// mayCommand refuses a command whose equal method the connection may not call.
func (g *Gateway) mayCommand(c *conn, cmd command) error {
	k := commandNamed(cmd.name)
	if k == nil || k.equal == "" {
		return nil
	}
	if need, _ := protocol.RequiredScope(k.equal); !c.scopes.Allows(need) {
		return g.missingScope(c, need)
	}
	return nil
}

// parseCommand reads a message as a command. "/name: args" is "/name args",
// names may be in any case; an unknown name is no command.
func parseCommand(message string) (command, bool) {
	text := jstext.Trim(message)
	if !strings.HasPrefix(text, "/") {
		return command{}, false
	}
	end := strings.IndexFunc(text, func(r rune) bool { return r == ':' || jstext.IsSpace(r) })
	if end < 0 {
		end = len(text)
	}
	k := commandNamed(jstext.Lower(text[1:end]))
	if k == nil {
		return command{}, false
	}
	rest := strings.TrimPrefix(text[end:], ":")
	line, _, _ := strings.Cut(rest, "\n")
	c := command{name: k.name, args: jstext.Trim(line), text: jstext.Trim(rest)}
	// "/send the report to Ann" is for the model.
	return c, k.name != "send" || len(strings.Fields(c.text)) < 2
}

// commandTurn reports whether the gateway answers a command itself. Where text
// for the model follows it, behind /new or a level of /think, that becomes the
// message of the turn.
func (g *Gateway) commandTurn(t *runs.Turn, cmd command) (answered bool) {
	switch cmd.name {
	case "new", "reset":
		if cmd.text != "" {
			t.Fresh, t.Message = true, cmd.text
			return false
		}
	case "think":
		word, rest := firstWord(cmd.text)
		if level, ok := sessions.NormalizeThinking(word); ok && rest != "" {
			t.Thinking, t.Message = level, rest
			return false
		}
	}
	return true
}

func firstWord(text string) (word, rest string) {
	if i := strings.IndexFunc(text, jstext.IsSpace); i >= 0 {
		return text[:i], jstext.Trim(text[i:])
	}
	return text, ""
}

// runCommand answers a command once the answer to its call is queued: the
// command is announced but not stored, the answer is both.
func (g *Gateway) runCommand(c *call, key, runID, text string, cmd command) (sendResult, error) {
	ticket, err := g.engine.Do(runs.Chat, key, runID, func(ctx context.Context) string {
		if err := g.serveCommand(ctx, key, runID, text, cmd); err != nil {
			g.log.Error("command failed", "session", key, "run", runID, "command", cmd.name, "err", err)
			return err.Error()
		}
		return ""
	})
	if err != nil {
		return sendResult{}, err
	}
	c.After(ticket.Begin)
	return answerTicket(ticket)
}

// serveCommand does what a command says and publishes its answer. The error is
// told in the chat as well.
func (g *Gateway) serveCommand(ctx context.Context, key, runID, text string, cmd command) error {
	answer, err := g.command(ctx, key, cmd)
	var f sessions.Found
	if err == nil {
		f, err = g.commandSession(ctx, key)
	}
	if err == nil {
		g.announceCommand(f, text)
		line := runs.OwnLine(answer, time.Now())
		var a transcript.Appended
		if a, err = g.appendOwn(runs.Ref(f.Store, f.Key, f.Entry), line); err == nil {
			g.hub.Publish(append(g.messageEvents(key, a), finalOwn(runID, key, 1, line, a.ID))...)
			return nil
		}
	}
	g.hub.Publish(chatEvent(chatPayload{
		RunID: runID, SessionKey: key, Seq: 1, State: "error", ErrorMessage: cutText(err.Error(), chatErrorLimit, "..."),
	}))
	return err
}

// commandSession is the session that a command is written into, made when it
// is missing.
func (g *Gateway) commandSession(ctx context.Context, key string) (sessions.Found, error) {
	if err := g.engine.Touch(ctx, runs.Chat, key); err != nil {
		return sessions.Found{}, err
	}
	f, _, err := g.stores.Lookup(key)
	return f, err
}

// announceCommand tells of a command's text, which is not stored and so has
// neither id nor place.
func (g *Gateway) announceCommand(f sessions.Found, text string) {
	if !g.hub.MessagesHeard(f.Key) {
		return
	}
	n, err := g.transcripts.Count(runs.Ref(f.Store, f.Key, f.Entry))
	if err != nil {
		g.log.Warn("messages cannot be counted", "session", f.Key, "err", err)
	}
	message := rawjson.MustMarshal(announcedCommand{
		Role: "user", Content: text, Timestamp: time.Now().UnixMilli(), Place: announcedPlace{n},
	})
	g.hub.Publish(g.messageEvents(f.Key, transcript.Appended{Seq: n, Message: message})...)
}

type announcedCommand struct {
	Role      string         `json:"role"`
	Content   string         `json:"content"`
	Timestamp int64          `json:"timestamp"`
	Place     announcedPlace `json:"__openclaw"`
}

type announcedPlace struct {
	Seq int `json:"seq"`
}

// command does what a command says and gives its answer.
func (g *Gateway) command(ctx context.Context, key string, cmd command) (string, error) {
	switch cmd.name {
	case "new", "reset":
		if err := g.engine.BeginAnew(ctx, runs.Chat, key); err != nil {
			return "", err
		}
		return "New session started.", nil
	case "compact":
		return g.compactCommand(ctx, key)
	case "models":
		return g.modelsCommand(cmd.args), nil
	case "status":
		return g.statusCommand(key)
	case "help":
		return helpText, nil
	case "model":
		return g.modelCommand(ctx, key, cmd.args)
	}
	return g.settingCommand(ctx, key, cmd)
}

func (g *Gateway) compactCommand(ctx context.Context, key string) (string, error) {
	r, err := g.compact(ctx, key, compactLines)
	if err != nil {
		return "", err
	}
	if !r.Compacted {
		return "Nothing to compact.", nil
	}
	g.publishChanged(r.Key, "compact", rawjson.Member{Name: "compacted", Value: rawjson.Value("true")})
	kept := 0
	if r.Kept != nil {
		kept = *r.Kept
	}
	return fmt.Sprintf("Compacted: kept %d lines.", kept), nil
}

// modelsCommand lists the models that can be chosen, of one provider or all.
func (g *Gateway) modelsCommand(provider string) string {
	var b strings.Builder
	b.WriteString("Models:")
	for _, m := range g.cfg().Catalogue() {
		if provider == "" || strings.EqualFold(m.Provider, provider) {
			fmt.Fprintf(&b, "\n- %s/%s", m.Provider, m.Model.ID)
		}
	}
	return b.String()
}

func (g *Gateway) statusCommand(key string) (string, error) {
	f, ok, err := g.stores.Lookup(key)
	if err != nil {
		return "", err
	}
	lines := []string{
		"Session: " + key,
		"Model: " + g.engine.ModelOf(key, f.Entry).String(),
		"Thinking: " + g.thinkingOf(key, f.Entry),
	}
	if row, known := g.row(key); ok && known {
		if n, has := rawjson.Number(row.TotalTokens); has {
			context, _ := rawjson.Number(row.ContextTokens)
			lines = append(lines, fmt.Sprintf("Context: %.0f of %.0f tokens", n, context))
		}
		if status, has := rawjson.Text(row.Status); has {
			lines = append(lines, "Last run: "+status)
		}
	}
	return strings.Join(lines, "\n"), nil
}

// thinkingOf is the level of thinking of a session's runs.
func (g *Gateway) thinkingOf(key string, e sessions.Entry) string {
	if level := e.Text("thinkingLevel"); level != "" {
		return level
	}
	return g.cfg().ThinkingDefault(g.engine.ModelOf(key, e))
}

const helpText = `Commands:
/new, /reset [text] - start a new session
/stop - stop what is going on
/model [provider/model] - show or choose the model
/models [provider] - list the models
/think [level] - show or choose the level of thinking
/verbose on|full|off - choose how much is told
/fast on|off - switch fast mode
/send on|off|inherit - allow or refuse messages to this session
/status - show the state of this session
/compact - shorten the transcript
/help - show this list`
