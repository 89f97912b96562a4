package gateway

import (
	"context"
	"os"
	"time"

	"github.com/parleyd/parley/internal/hub"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/transcript"
)

type chatInjectResult struct {
	OK        bool   `json:"ok"`
	MessageID string `json:"messageId"`
}

// chatInject puts a note into a session, as a message of the assistant. It is
// told before the answer.
func (g *Gateway) chatInject(_ context.Context, _ *call, p protocol.ChatInjectParams) (chatInjectResult, error) {
	f, ok, err := g.stores.Lookup(p.SessionKey)
	if err != nil {
		return chatInjectResult{}, err
	}
	if !ok || f.Entry.SessionID() == "" {
		return chatInjectResult{}, protocol.Invalidf("session not found")
	}
	text := p.Message
	if p.Label != "" {
		text = "[" + p.Label + "]\n\n" + text
	}
	line := runs.OwnLine(text, time.Now())
	a, err := g.appendOwn(runs.Ref(f.Store, f.Key, f.Entry), line)
	if err != nil {
		return chatInjectResult{}, protocol.Unavailablef("failed to write transcript: %v", err)
	}
	events := append(g.messageEvents(f.Key, a), finalOwn("inject-"+a.ID, f.Key, 0, line, a.ID))
	g.hub.Publish(events...)
	return chatInjectResult{OK: true, MessageID: a.ID}, nil
}

// appendOwn writes a line of the gateway itself to a transcript.
func (g *Gateway) appendOwn(ref transcript.Ref, line transcript.Line) (transcript.Appended, error) {
	cwd, err := os.Getwd()
	if err != nil {
		return transcript.Appended{}, err
	}
	written, err := g.transcripts.Append(ref, cwd, line)
	if err != nil {
		return transcript.Appended{}, err
	}
	return written[0], nil
}

// finalOwn is the chat event of a message of the gateway itself: the whole
// message, its texts without directive tags.
func finalOwn(runID, key string, seq int, line transcript.Line, id string) hub.Event {
	message, _ := rawjson.Parse(line.Fields.Get("message")) // we made it
	return chatEvent(chatPayload{
		RunID: runID, SessionKey: key, Seq: seq, State: "final", Message: withoutTags(message), line: id,
	})
}

// withoutTags is a message whose text blocks have no directive tags.
func withoutTags(o rawjson.Object) rawjson.Object {
	blocks, ok := rawjson.Array(o.Get("content"))
	if !ok {
		return o
	}
	for i, b := range blocks {
		block, err := rawjson.Parse(b)
		if err == nil && block.Text("type") == "text" {
			block.Put("text", transcript.StripTags(block.Text("text")))
			blocks[i] = block.JSON()
		}
	}
	o.Put("content", blocks)
	return o
}
