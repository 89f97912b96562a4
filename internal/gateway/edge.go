package gateway

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// edge counts what happens where connections begin and end. The names and their
// labels are few and fixed, whatever clients send. All methods are safe for
// concurrent use.
type edge struct {
	mu     sync.Mutex // guards counts
	counts map[edgeCount]int64
}

// edgeCount is one counter: what happened, and how or why.
type edgeCount struct{ what, how string }

// What is counted at the edge.
const (
	edgeOpened    = "opened"    // connections, by the way they speak
	edgeConnected = "connected" // handshakes that succeeded, by client id
	edgeRefused   = "refused"   // handshakes and requests, by the code of the reason
	edgeMalformed = "malformed" // upgrades that were none
	edgeClosed    = "closed"    // connections, by close code
	edgeDropped   = "dropped"   // events that slow clients did not get, by event
	edgeCrowded   = "crowded"   // connections of strangers that made room
	edgeReceived  = "received"  // bytes of messages
	edgeSent      = "sent"      // bytes of messages
)

func (e *edge) add(what, how string, n int64) {
	if n == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.counts == nil {
		e.counts = map[edgeCount]int64{}
	}
	e.counts[edgeCount{what, how}] += n
}

func (e *edge) one(what, how string) { e.add(what, how, 1) }

// closeLabel is what a close code is counted under: clients may send any of two
// thousand codes of their own.
func closeLabel(code websocket.StatusCode) string {
	if code >= 3000 {
		return strconv.Itoa(int(code)/1000) + "xxx"
	}
	return strconv.Itoa(int(code))
}

// countEnd counts a connection that has ended. The caller holds the mutex of the
// gateway, so that who adds up the ended and the open ones counts each once.
func (g *Gateway) countEnd(c *conn) {
	status, _, _ := c.lastWord()
	sent, drops := c.out.totals()
	g.edge.one(edgeClosed, closeLabel(status))
	g.edge.add(edgeReceived, "", c.received.Load())
	g.edge.add(edgeSent, "", sent)
	for event, n := range drops {
		g.edge.add(edgeDropped, event, n)
	}
}

// tellEnd logs how a connection ended: by whose word, with what code,
// after how many bytes. Strangers that never said a word are worth less.
func (g *Gateway) tellEnd(c *conn) {
	status, reason, by := c.lastWord()
	sent, drops := c.out.totals()
	var dropped int64
	for _, n := range drops {
		dropped += n
	}
	level := slog.LevelInfo
	if !c.connected.Load() {
		level = slog.LevelDebug
	}
	g.log.Log(context.Background(), level, "connection closed", "conn", c.id, "client", c.client.ID, "code", int(status), "reason", reason, "by", by,
		"received", c.received.Load(), "sent", sent, "dropped", dropped, "after", time.Since(c.opened).Round(time.Millisecond))
}

// lastWord is how a connection ended that has ended: with the code and reason
// that one side gave, or, when none of them said anything, with 1006.
func (c *conn) lastWord() (status websocket.StatusCode, reason, by string) {
	if e, ok := c.out.lastWord(); ok {
		return e.status, e.reason, "gateway"
	}
	if e, ok := errors.AsType[websocket.CloseError](c.readFault); ok {
		return e.Code, e.Reason, "client"
	}
	return websocket.StatusAbnormalClosure, "", "network"
}

// why names the reason of a refusal for counting: the code in its details, which
// are few, or its own.
func why(err *protocol.Error) string {
	if o, fault := rawjson.Parse(err.Details); fault == nil && o.Text("code") != "" {
		return o.Text("code")
	}
	return string(err.Code)
}

// all is every counter that is not 0.
func (e *edge) all() map[edgeCount]int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.counts)
}
