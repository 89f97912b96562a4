package gateway

import (
	"sync"
	"time"

	"github.com/parleyd/parley/internal/protocol"
)

const (
	// budgetCalls is how many control-plane calls a client has per budgetWindow.
	budgetCalls  = 3
	budgetWindow = 60 * time.Second
	// budgetClients is the number of clients from which on windows that are
	// over are forgotten.
	budgetClients = 256
)

// budget counts the calls that change the gateway itself, per client, in fixed
// windows that begin with a client's first call (spec: protocol 12).
type budget struct {
	mu      sync.Mutex // guards windows
	windows map[string]*budgetUse
}

type budgetUse struct {
	since time.Time
	calls int
}

func newBudget() *budget { return &budget{windows: map[string]*budgetUse{}} }

// spend takes one call of a client's budget; it returns how long to wait where
// nothing is left.
func (b *budget) spend(client string) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if len(b.windows) >= budgetClients {
		for key, u := range b.windows {
			if now.Sub(u.since) >= budgetWindow {
				delete(b.windows, key)
			}
		}
	}
	u := b.windows[client]
	if u == nil || now.Sub(u.since) >= budgetWindow {
		u = &budgetUse{since: now}
		b.windows[client] = u
	}
	if u.calls >= budgetCalls {
		return u.since.Add(budgetWindow).Sub(now)
	}
	u.calls++
	return 0
}

// spend charges a call to the control-plane budget, before its params are
// looked at; methods that have none are free.
func (g *Gateway) spend(c *conn, method string) error {
	switch method {
	case "config.apply", "config.patch", "update.run":
	default:
		return nil
	}
	client := c.deviceID + "|" + c.remoteIP
	if client == "|" {
		client = "conn " + c.id
	}
	wait := g.gate.budget.spend(client)
	if wait <= 0 {
		return nil
	}
	seconds := (wait + time.Second - 1) / time.Second
	err := protocol.Unavailablef("rate limit exceeded for %s; retry after %ds", method, seconds).WithDetails(struct {
		Method string `json:"method"`
		Limit  string `json:"limit"`
	}{method, "3 per 60s"})
	err.Retryable, err.RetryAfterMs = true, (wait + time.Millisecond - 1).Milliseconds()
	return err
}
