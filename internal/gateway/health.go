package gateway

import (
	"context"
	"sync"
	"time"

	"github.com/parleyd/parley/internal/hub"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/sessions"
)

// healthInterval is how often health is looked at, and how old a snapshot the
// method health may answer with.
const healthInterval = time.Minute

// Everybody is told at once healthBurst times, and then once in healthPause: who
// connects over and over, or a thousand who come at once, must not make the
// gateway tell each of the others each time.
const (
	healthPause = 50 * time.Millisecond
	healthBurst = 20
)

// health keeps the last health snapshot and refreshes it: at start, every
// minute, after each connect and when asked (spec: protocol 15.1). Refreshes
// that are wanted at the same time become one. All methods are safe for
// concurrent use.
type health struct {
	g    *Gateway
	wish chan struct{} // a token when a refresh is wanted

	refreshing sync.Mutex // held while a refresh runs

	mu      sync.Mutex // guards all below
	version int64
	last    *healthSnapshot
	text    rawjson.Value // last as JSON, which changes when it does
	taken   time.Time
	paid    time.Time // when all that was told is made up for, a healthPause each
}

type healthSnapshot struct {
	OK               bool           `json:"ok"`
	TS               int64          `json:"ts"`
	DurationMs       int64          `json:"durationMs"`
	Channels         struct{}       `json:"channels"`
	ChannelOrder     []string       `json:"channelOrder"`
	ChannelLabels    struct{}       `json:"channelLabels"`
	HeartbeatSeconds int64          `json:"heartbeatSeconds"`
	DefaultAgentID   string         `json:"defaultAgentId"`
	Agents           []agentHealth  `json:"agents"`
	Sessions         healthSessions `json:"sessions"`
}

type agentHealth struct {
	AgentID   string          `json:"agentId"`
	Name      string          `json:"name,omitzero"`
	IsDefault bool            `json:"isDefault"`
	Heartbeat heartbeatHealth `json:"heartbeat"`
	Sessions  healthSessions  `json:"sessions"`
}

// heartbeatHealth says that there are no heartbeats here.
type heartbeatHealth struct {
	Enabled bool   `json:"enabled"`
	Every   string `json:"every"`
	EveryMs *int64 `json:"everyMs"`
}

type healthSessions struct {
	Path   string          `json:"path"`
	Count  int             `json:"count"`
	Recent []recentSession `json:"recent"`
}

type recentSession struct {
	Key       string `json:"key"`
	UpdatedAt *int64 `json:"updatedAt"`
	Age       *int64 `json:"age"`
}

// healthPublic is what a connection without operator.read gets to see.
type healthPublic struct {
	OK bool  `json:"ok"`
	TS int64 `json:"ts"`
}

func newHealth(g *Gateway) *health { return &health{g: g, wish: make(chan struct{}, 1), version: 1} }

// run refreshes until ctx ends.
func (h *health) run(ctx context.Context) {
	t := time.NewTicker(healthInterval)
	defer t.Stop()
	for {
		if !h.refresh() && !pause(ctx, healthPause) {
			return
		}
		select {
		case <-t.C:
		case <-h.wish:
		case <-ctx.Done():
			return
		}
	}
}

// pause waits; it reports false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// refreshSoon asks for a refresh in the background.
func (h *health) refreshSoon() { token(h.wish) }

// refresh takes a new snapshot and tells everybody, or has everybody told soon
// when that was done too often just before; told is false then.
func (h *health) refresh() (told bool) {
	h.refreshing.Lock()
	defer h.refreshing.Unlock()
	s := h.look()
	text := rawjson.MustMarshal(s)
	h.mu.Lock()
	h.version++
	h.last, h.text, h.taken = &s, text, time.Now()
	if h.paid.Before(h.taken) {
		h.paid = h.taken
	}
	told = h.paid.Sub(h.taken) < healthBurst*healthPause
	if told {
		h.paid = h.paid.Add(healthPause)
	}
	h.mu.Unlock()
	if !told {
		h.refreshSoon()
		return told
	}
	v := h.g.stateVersion()
	h.g.hub.Publish(hub.Event{Name: "health", To: hub.All(), Policy: hub.CloseIfSlow, State: &v, Payload: text})
	return told
}

// current is the health version.
func (h *health) current() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.version
}

// cached is the last snapshot as JSON, {} before the first. Without full only
// what is no secret is shown.
func (h *health) cached(full bool) rawjson.Value {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.last == nil:
		return rawjson.Value("{}")
	case full:
		return h.text
	}
	return rawjson.MustMarshal(healthPublic{h.last.OK, h.last.TS})
}

func (h *health) fresh() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last != nil && time.Since(h.taken) < healthInterval
}

// healthMethod answers with the cached snapshot when it is young enough and no
// probe was asked for, and refreshes it in any case.
func (g *Gateway) healthMethod(_ context.Context, c *call, p protocol.HealthParams) (rawjson.Value, error) {
	if g.health.fresh() && string(p.Probe) != "true" {
		c.After(g.health.refreshSoon)
	} else {
		g.health.refresh()
	}
	return g.health.cached(c.conn.mayRead()), nil
}

// look takes a snapshot.
func (h *health) look() healthSnapshot {
	start := time.Now()
	g := h.g
	def := g.cfg().DefaultAgent()
	s := healthSnapshot{OK: true, ChannelOrder: []string{}, DefaultAgentID: def, Agents: []agentHealth{}}
	for _, id := range g.defaultFirst(g.cfg().AgentIDs()) {
		a := agentHealth{
			AgentID: id, Name: g.agentName(id), IsDefault: id == def,
			Heartbeat: heartbeatHealth{Every: "disabled"}, Sessions: g.recentSessions(id, start),
		}
		s.Agents = append(s.Agents, a)
		if a.IsDefault {
			s.Sessions = a.Sessions
		}
	}
	s.TS, s.DurationMs = time.Now().UnixMilli(), time.Since(start).Milliseconds()
	return s
}

// recentSessions is the state of an agent's store and its five newest
// sessions. A store that cannot be read shows none; the log says why.
func (g *Gateway) recentSessions(agent string, now time.Time) healthSessions {
	out := healthSessions{Recent: []recentSession{}}
	st, err := g.stores.Store("agent:" + agent + ":main")
	if err != nil {
		g.log.Warn("health: cannot open the session store", "agent", agent, "err", err)
		return out
	}
	out.Path = st.Path()
	err = st.View(func(v *sessions.Snapshot) error {
		out.Count = countAgentSessions(v)
		for key, e := range v.Recent(0) {
			if len(out.Recent) == 5 {
				break
			}
			if noAgents(key) {
				continue
			}
			r := recentSession{Key: key}
			if at := e.UpdatedAt(); at > 0 {
				age := now.UnixMilli() - at
				r.UpdatedAt, r.Age = &at, &age
			}
			out.Recent = append(out.Recent, r)
		}
		return nil
	})
	if err != nil {
		g.log.Warn("health: cannot read the session store", "path", st.Path(), "err", err)
	}
	return out
}

// noAgents reports whether a key is none of an agent's sessions: health and
// status leave it out.
func noAgents(key string) bool { return key == "global" || key == "unknown" }

// countAgentSessions is how many sessions of its agent a store holds.
func countAgentSessions(v *sessions.Snapshot) int {
	n := v.Len()
	for _, key := range []string{"global", "unknown"} {
		if _, ok := v.Get(key); ok {
			n--
		}
	}
	return n
}
