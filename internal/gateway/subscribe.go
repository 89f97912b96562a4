package gateway

import (
	"context"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
)

type sessionsSubscribeResult struct {
	Subscribed bool `json:"subscribed"`
}

type messagesSubscribeResult struct {
	Subscribed bool   `json:"subscribed"`
	Key        string `json:"key"`
}

// sessionsSubscribe makes the connection hear of all sessions.
func (g *Gateway) sessionsSubscribe(_ context.Context, c *call, _ protocol.NoParams) (sessionsSubscribeResult, error) {
	g.hub.SubscribeSessions(c.conn.id, true)
	return sessionsSubscribeResult{true}, nil
}

// sessionsUnsubscribe ends sessionsSubscribe; it may be called without it.
func (g *Gateway) sessionsUnsubscribe(_ context.Context, c *call, _ protocol.NoParams) (sessionsSubscribeResult, error) {
	g.hub.SubscribeSessions(c.conn.id, false)
	return sessionsSubscribeResult{false}, nil
}

// messagesSubscribe makes the connection hear the messages of one session,
// which need not exist.
func (g *Gateway) messagesSubscribe(_ context.Context, c *call, p protocol.SessionKeyParams) (messagesSubscribeResult, error) {
	return g.subscribeMessages(c, p.Key, true)
}

// messagesUnsubscribe ends messagesSubscribe for one session.
func (g *Gateway) messagesUnsubscribe(_ context.Context, c *call, p protocol.SessionKeyParams) (messagesSubscribeResult, error) {
	return g.subscribeMessages(c, p.Key, false)
}

func (g *Gateway) subscribeMessages(c *call, key string, on bool) (messagesSubscribeResult, error) {
	if _, err := requireKey(key); err != nil {
		return messagesSubscribeResult{}, err
	}
	key = g.keys().Canonical(key)
	g.hub.SubscribeMessages(c.conn.id, key, on)
	return messagesSubscribeResult{on, key}, nil
}

// requireKey is the trimmed key; a blank one is refused.
func requireKey(key string) (string, error) {
	if key = jstext.Trim(key); key == "" {
		return "", protocol.Invalidf("key required")
	}
	return key, nil
}
