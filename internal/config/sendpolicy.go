package config

import (
	"slices"
	"strings"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// SendPolicy is session.sendPolicy: which sessions take messages.
type SendPolicy struct {
	DenyByDefault bool
	Rules         []SendRule
}

// SendRule is one of session.sendPolicy.rules. Empty fields match everything;
// texts are lower-case.
type SendRule struct {
	Deny         bool
	Channel      string
	ChatType     string // direct, group or channel
	KeyPrefix    string // of the key, or of what follows "agent:<id>:"
	RawKeyPrefix string // of the whole key
}

func (p *SendPolicy) read(d *decoder, at string, v rawjson.Value) {
	var byDefault string
	object([]field{
		{name: "default", read: oneOf(&byDefault, "allow", "deny")},
		{name: "rules", read: each(func(d *decoder, at string, v rawjson.Value) {
			var r SendRule
			r.read(d, at, v)
			p.Rules = append(p.Rules, r)
		})},
	}, "")(d, at, v)
	p.DenyByDefault = byDefault == "deny"
}

func (r *SendRule) read(d *decoder, at string, v rawjson.Value) {
	var action string
	object([]field{
		{name: "action", read: oneOf(&action, "allow", "deny"), required: true},
		{name: "match", read: object([]field{
			{name: "channel", read: text(&r.Channel)},
			{name: "chatType", read: oneOf(&r.ChatType, "direct", "group", "channel", "dm")},
			{name: "keyPrefix", read: text(&r.KeyPrefix)},
			{name: "rawKeyPrefix", read: text(&r.RawKeyPrefix)},
		}, "")},
	}, "")(d, at, v)
	r.Deny = action == "deny"
	r.Channel, r.ChatType = word(r.Channel), chatKind(r.ChatType)
	r.KeyPrefix, r.RawKeyPrefix = word(r.KeyPrefix), word(r.RawKeyPrefix)
}

// word is a text as policies compare it.
func word(s string) string { return jstext.Lower(jstext.Trim(s)) }

// chatKind is a chat type; dm is another word for direct.
func chatKind(s string) string {
	if s = word(s); s == "dm" {
		return "direct"
	}
	return s
}

// SendTarget is the session that a message is for, as far as a send policy
// judges it.
type SendTarget struct {
	Key string // canonical
	// The rest are the entry's fields of these names, "" when absent.
	SendPolicy, Channel, LastChannel, ChatType string
}

// SendAllowed reports whether a message may be sent to t. The entry's own
// policy decides alone; else a matching rule with deny denies, any matching
// rule allows, and the default decides the rest.
func (c *Config) SendAllowed(t SendTarget) bool {
	switch t.SendPolicy {
	case "allow":
		return true
	case "deny":
		return false
	}
	p, matched := c.Session.SendPolicy, false
	for _, r := range p.Rules {
		if r.matches(t) {
			if r.Deny {
				return false
			}
			matched = true
		}
	}
	return matched || !p.DenyByDefault
}

func (r SendRule) matches(t SendTarget) bool {
	key := word(t.Key)
	rest := afterAgent(key)
	switch {
	case r.Channel != "" && r.Channel != t.channel(rest):
		return false
	case r.ChatType != "" && r.ChatType != t.chatType(rest):
		return false
	case r.RawKeyPrefix != "" && !strings.HasPrefix(key, r.RawKeyPrefix):
		return false
	case r.KeyPrefix != "" && !strings.HasPrefix(key, r.KeyPrefix) && !strings.HasPrefix(rest, r.KeyPrefix):
		return false
	}
	return true
}

// afterAgent is a key without its "agent:<id>:".
func afterAgent(key string) string {
	if rest, ok := strings.CutPrefix(key, "agent:"); ok {
		if _, rest, ok := strings.Cut(rest, ":"); ok {
			return rest
		}
	}
	return key
}

func (t SendTarget) channel(rest string) string {
	if own := firstText(word(t.Channel), word(t.LastChannel)); own != "" {
		return own
	}
	parts := strings.Split(rest, ":")
	if len(parts) >= 3 && (parts[1] == "group" || parts[1] == "channel") {
		return parts[0]
	}
	return ""
}

// chatType is the entry's, or the first of these that is a part of the key.
func (t SendTarget) chatType(rest string) string {
	kinds := []string{"group", "channel", "direct"}
	if own := chatKind(t.ChatType); slices.Contains(kinds, own) {
		return own
	}
	parts := strings.Split(rest, ":")
	for _, kind := range kinds {
		if slices.Contains(parts, kind) || kind == "direct" && slices.Contains(parts, "dm") {
			return kind
		}
	}
	return ""
}
