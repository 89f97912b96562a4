package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/runs"
)

// historyPage is the body of a history answer. Items and messages are the same.
type historyPage struct {
	SessionKey string          `json:"sessionKey"`
	Items      []rawjson.Value `json:"items"`
	Messages   []rawjson.Value `json:"messages"`
	HasMore    bool            `json:"hasMore"`
	NextCursor string          `json:"nextCursor,omitzero"`

	ids []string // of the messages, oldest first
}

// historyPage reads the wanted messages of a session; one that is gone has
// none.
func (g *Gateway) historyPage(key string, want pageRequest) (historyPage, error) {
	p := historyPage{SessionKey: key}
	found, ok, err := g.stores.Lookup(key)
	if err != nil || !ok || found.Entry.SessionID() == "" {
		return p, err
	}
	list, err := g.transcripts.Before(runs.Ref(found.Store, found.Key, found.Entry), want.before, want.limit)
	if err != nil {
		return p, fmt.Errorf("read the history of %s: %w", key, err)
	}
	for _, m := range list {
		p.Items = append(p.Items, m.Raw)
		p.ids = append(p.ids, m.ID)
	}
	p.Messages = p.Items
	if len(list) > 0 && list[0].Seq > 1 {
		p.HasMore, p.NextCursor = true, strconv.Itoa(list[0].Seq)
	}
	return p, nil
}

const (
	keepaliveEvery = 15 * time.Second
	// streamWriteTimeout is how long a client may take to accept one write.
	streamWriteTimeout = 30 * time.Second
)

// streamHistory sends a page of a session's messages and then each new message
// as a server-sent event, until the client leaves or the gateway stops. Who
// asked for a part of the history gets that part anew instead.
func (g *Gateway) streamHistory(w http.ResponseWriter, r *http.Request, key string, want pageRequest, scopes protocol.ScopeSet) {
	id, s := uuid.NewString(), newStream(scopes)
	// Listening starts before reading: no message may fall between.
	if !g.joinStream(id, key, s) {
		text(w, http.StatusServiceUnavailable, "Service Unavailable")
		return
	}
	defer g.leaveStream(id)
	page, err := g.historyPage(key, want)
	if err != nil {
		g.broken(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("Connection", "close") // however a stream ends, its connection has a write deadline on it
	out := eventWriter{w, http.NewResponseController(w)}
	err = out.write([]byte("retry: 1000\n\n"))
	if err == nil {
		err = out.event("history", rawjson.MustMarshal(page))
	}
	if err == nil {
		err = g.follow(r.Context(), out, s, key, want, page)
	}
	g.log.Debug("history stream ended", "conn", id, "session", key, "cause", err)
}

// joinStream makes a stream hear the messages of a session. It reports false
// when the gateway is stopping, which waits for streams as for connections.
func (g *Gateway) joinStream(id, key string, s *stream) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopping {
		return false
	}
	g.serving.Add(1)
	g.hub.Add(id, s)
	g.hub.SubscribeMessages(id, key, true)
	return true
}

func (g *Gateway) leaveStream(id string) {
	g.hub.Remove(id)
	g.serving.Done()
}

// follow writes what the stream hears; it returns why there is no more to
// write.
func (g *Gateway) follow(ctx context.Context, out eventWriter, s *stream, key string, want pageRequest, page historyPage) error {
	keepalive := time.NewTicker(keepaliveEvery)
	defer keepalive.Stop()
	told := page.lastIDs()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-keepalive.C:
			if err := out.write([]byte(": keepalive\n\n")); err != nil {
				return err
			}
		case <-s.wake:
			frames, end := s.take()
			if err := g.tell(out, frames, key, want, told); err != nil {
				return err
			}
			if end != nil {
				return end
			}
		}
	}
}

// lastIDs are the newest messages of a page: those that may have been heard of
// while the page was read.
func (p historyPage) lastIDs() map[string]bool {
	ids := map[string]bool{}
	for _, id := range p.ids[max(0, len(p.ids)-maxHistory):] {
		ids[id] = true
	}
	return ids
}

// tell writes events for session.message frames.
func (g *Gateway) tell(out eventWriter, frames [][]byte, key string, want pageRequest, told map[string]bool) error {
	if want.partly {
		if len(frames) == 0 {
			return nil
		}
		page, err := g.historyPage(key, want) // one for all that waited: it shows them all
		if err != nil {
			return err
		}
		return out.event("history", rawjson.MustMarshal(page))
	}
	for _, frame := range frames {
		payload, err := messagePayload(frame)
		if err != nil {
			return err
		}
		if told[payload.Text("messageId")] {
			continue
		}
		if err := out.event("message", payload.JSON()); err != nil {
			return err
		}
	}
	return nil
}

// messagePayload is what a stream tells of a session.message frame.
func messagePayload(frame []byte) (rawjson.Object, error) {
	var o rawjson.Object
	f, err := rawjson.Parse(frame)
	if err != nil {
		return o, fmt.Errorf("parse an event: %w", err)
	}
	payload, err := rawjson.Parse(f.Get("payload"))
	if err != nil {
		return o, fmt.Errorf("parse an event's payload: %w", err)
	}
	for _, name := range []string{"sessionKey", "message", "messageId", "messageSeq"} {
		if v := payload.Get(name); v != nil {
			o.Set(name, v)
		}
	}
	return o, nil
}

// eventWriter writes server-sent events, each at once.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// event writes one event with a line of JSON.
func (e eventWriter) event(name string, payload rawjson.Value) error {
	if bytes.ContainsAny(payload, "\r\n") { // white space that a stored message had; a line end would end the event
		var err error
		if payload, err = rawjson.Compact(payload); err != nil {
			return fmt.Errorf("compact an event: %w", err)
		}
	}
	return e.write(fmt.Appendf(nil, "event: %s\ndata: %s\n\n", name, payload))
}

func (e eventWriter) write(b []byte) error {
	err := e.control.SetWriteDeadline(time.Now().Add(streamWriteTimeout))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := e.w.Write(b); err != nil {
		return err
	}
	return e.control.Flush()
}
