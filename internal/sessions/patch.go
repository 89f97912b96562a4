package sessions

import (
	"time"

	"github.com/google/uuid"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// xhigh is the thinking level that only some models have.
const xhigh = "xhigh"

// Rules are what changes of an entry depend on beside the entry.
type Rules struct {
	Config *config.Config
	Keys   Keys
	// Key is the session's canonical key.
	Key string
	Now time.Time
	// LabelTaken reports whether another session of the same file has a label.
	LabelTaken func(label string) bool
}

func (r Rules) agent() string { return r.Keys.Agent(r.Key) }

// NewSession is the entry of a session that begins now.
func (r Rules) NewSession() Entry {
	var o rawjson.Object
	o.Put("sessionId", uuid.NewString())
	o.Put("updatedAt", r.Now.UnixMilli())
	return NewEntry(o)
}

// Patch applies the fields of a patch to an entry, in the order of the table
// below, and marks it as updated. It is all or nothing: the first fault, a
// *protocol.Error, is returned and e stays as it is.
func Patch(e Entry, p protocol.SessionsPatchParams, r Rules) (Entry, error) {
	o := e.Fields().Clone()
	touch(&o, r.Now)
	c := &patch{Rules: r, fields: &o, params: &p}
	for _, f := range fields {
		v := f.value(&p)
		if !v.set {
			continue
		}
		if err := f.apply(c, f.name, v); err != nil {
			return e, err
		}
	}
	if err := c.settleThinking(); err != nil {
		return e, err
	}
	return NewEntry(o), nil
}

// touch sets updatedAt; it never goes back.
func touch(o *rawjson.Object, now time.Time) {
	if was, ok := rawjson.Number(o.Get("updatedAt")); !ok || was < float64(now.UnixMilli()) {
		o.Put("updatedAt", now.UnixMilli())
	}
}

// patch is a patch under way.
type patch struct {
	Rules
	fields *rawjson.Object
	params *protocol.SessionsPatchParams
}

// value is one member of the params: absent, null or a value.
type value struct {
	set, null bool
	text      string
	raw       rawjson.Value
}

func text(pick func(*protocol.SessionsPatchParams) protocol.Opt[string]) func(*protocol.SessionsPatchParams) value {
	return func(p *protocol.SessionsPatchParams) value {
		o := pick(p)
		return value{set: o.Set, null: o.Null, text: o.Value, raw: rawjson.MustMarshal(o.Value)}
	}
}

func raw[T any](pick func(*protocol.SessionsPatchParams) protocol.Opt[T]) func(*protocol.SessionsPatchParams) value {
	return func(p *protocol.SessionsPatchParams) value {
		o := pick(p)
		return value{set: o.Set, null: o.Null, raw: rawjson.MustMarshal(o.Value)}
	}
}

// field is one field that can be patched.
type field struct {
	name  string
	value func(*protocol.SessionsPatchParams) value
	apply rule
}

// rule applies a value that is not absent to the named field.
type rule func(c *patch, name string, v value) *protocol.Error

type params = protocol.SessionsPatchParams

// fields is everything that can be patched, in the order in which faults are
// found and fields are written.
var fields = []field{
	{"spawnedBy", text(func(p *params) protocol.Opt[string] { return p.SpawnedBy }), lineage(trimmedText, true)},
	{"spawnedWorkspaceDir", text(func(p *params) protocol.Opt[string] { return p.SpawnedWorkspaceDir }), lineage(trimmedText, false)},
	{"spawnDepth", raw(func(p *params) protocol.Opt[protocol.Int] { return p.SpawnDepth }), lineage(nil, false)},
	{"subagentRole", text(func(p *params) protocol.Opt[string] { return p.SubagentRole }), lineage(nil, false)},
	{"subagentControlScope", text(func(p *params) protocol.Opt[string] { return p.SubagentControlScope }), lineage(nil, false)},
	{"label", text(func(p *params) protocol.Opt[string] { return p.Label }), label},
	{"thinkingLevel", text(func(p *params) protocol.Opt[string] { return p.ThinkingLevel }), thinking},
	{"fastMode", raw(func(p *params) protocol.Opt[bool] { return p.FastMode }), asGiven},
	{"verboseLevel", text(func(p *params) protocol.Opt[string] { return p.VerboseLevel }), oneOf(verboseWords(), false, `"on"|"off"`)},
	{"reasoningLevel", text(func(p *params) protocol.Opt[string] { return p.ReasoningLevel }), oneOf(reasoningWords(), false, `"on"|"off"|"stream"`)},
	{"responseUsage", text(func(p *params) protocol.Opt[string] { return p.ResponseUsage }), responseUsage},
	{"elevatedLevel", text(func(p *params) protocol.Opt[string] { return p.ElevatedLevel }), oneOf(elevatedWords(), false, `"on"|"off"|"ask"|"full"`)},
	{"execHost", text(func(p *params) protocol.Opt[string] { return p.ExecHost }), oneOf(words("sandbox", "gateway", "node"), true, `"sandbox"|"gateway"|"node"`)},
	{"execSecurity", text(func(p *params) protocol.Opt[string] { return p.ExecSecurity }), oneOf(words("deny", "allowlist", "full"), true, `"deny"|"allowlist"|"full"`)},
	{"execAsk", text(func(p *params) protocol.Opt[string] { return p.ExecAsk }), oneOf(words("off", "on-miss", "always"), true, `"off"|"on-miss"|"always"`)},
	{"execNode", text(func(p *params) protocol.Opt[string] { return p.ExecNode }), nonEmpty},
	{"model", text(func(p *params) protocol.Opt[string] { return p.Model }), model},
	{"sendPolicy", text(func(p *params) protocol.Opt[string] { return p.SendPolicy }), asGiven},
	{"groupActivation", text(func(p *params) protocol.Opt[string] { return p.GroupActivation }), asGiven},
}

// asGiven stores the value; null removes the field.
func asGiven(c *patch, name string, v value) *protocol.Error {
	if v.null {
		c.fields.Delete(name)
	} else {
		c.fields.Set(name, v.raw)
	}
	return nil
}

// oneOf stores what the vocabulary makes of the value.
func oneOf(vocabulary vocabulary, trim bool, hint string) rule {
	return func(c *patch, name string, v value) *protocol.Error {
		if v.null {
			return asGiven(c, name, v)
		}
		if trim {
			v.text = jstext.Trim(v.text)
		}
		word, ok := vocabulary.lookup(v.text)
		if !ok {
			return protocol.Invalidf("invalid %s (use %s)", name, hint)
		}
		c.fields.Put(name, word)
		return nil
	}
}

func trimmedText(name string, v value) (value, *protocol.Error) {
	v.text = jstext.Trim(v.text)
	if v.text == "" && !v.null {
		return v, protocol.Invalidf("invalid %s: empty", name)
	}
	v.raw = rawjson.MustMarshal(v.text)
	return v, nil
}

// nonEmpty stores the trimmed text.
func nonEmpty(c *patch, name string, v value) *protocol.Error {
	v, err := trimmedText(name, v)
	if err != nil {
		return err
	}
	return asGiven(c, name, v)
}

// lineage is the rule of the fields that say where a spawned session comes
// from: only such sessions have them, and once set they stay.
func lineage(clean func(string, value) (value, *protocol.Error), cleanFirst bool) rule {
	return func(c *patch, name string, v value) *protocol.Error {
		was := c.fields.Get(name)
		isSet := rawjson.Truthy(was)
		if name == "spawnDepth" {
			isSet = rawjson.Kind(was) == '0' // a depth of 0 is one
		}
		if v.null {
			if isSet {
				return protocol.Invalidf("%s cannot be cleared once set", name)
			}
			return nil
		}
		supported := func() *protocol.Error {
			if !Spawned(c.Key) {
				return protocol.Invalidf("%s is only supported for subagent:* or acp:* sessions", name)
			}
			return nil
		}
		if !cleanFirst {
			if err := supported(); err != nil {
				return err
			}
		}
		if clean != nil {
			var err *protocol.Error
			if v, err = clean(name, v); err != nil {
				return err
			}
		}
		if err := supported(); err != nil {
			return err
		}
		if isSet && !sameScalar(was, v.raw) && !sameNumber(was, v.raw) {
			return protocol.Invalidf("%s cannot be changed once set", name)
		}
		return asGiven(c, name, v)
	}
}

// sameNumber reports whether both are one number, however it is spelled.
func sameNumber(a, b rawjson.Value) bool {
	n, ok := rawjson.Number(a)
	m, too := rawjson.Number(b)
	return ok && too && n == m
}

// label gives a session a name that no other session of its file has.
func label(c *patch, name string, v value) *protocol.Error {
	v, err := trimmedText(name, v)
	if err != nil {
		return err
	}
	if !v.null && c.LabelTaken != nil && c.LabelTaken(v.text) {
		return protocol.Invalidf("label already in use: %s", v.text)
	}
	return asGiven(c, name, v)
}

func thinking(c *patch, name string, v value) *protocol.Error {
	if v.null {
		return asGiven(c, name, v)
	}
	level, ok := thinkingLevel(v.text)
	if !ok {
		return protocol.Invalidf("invalid thinkingLevel (use %s)", thinkingHint(c.selected()))
	}
	c.fields.Put(name, level)
	return nil
}

// settleThinking holds xhigh against the model that the session has after the
// patch: refused when just asked for, lowered when it was there before.
func (c *patch) settleThinking() *protocol.Error {
	if c.fields.Text("thinkingLevel") != xhigh || config.XHigh(c.selected()) {
		return nil
	}
	if c.params.ThinkingLevel.Set {
		return protocol.Invalidf(`thinkingLevel "xhigh" is only supported for provider models that advertise xhigh reasoning`)
	}
	c.fields.Put("thinkingLevel", "high")
	return nil
}

func (c *patch) selected() config.ModelRef {
	return SelectedModel(c.Config, c.agent(), NewEntry(*c.fields))
}

// responseUsage knows "on" from older clients; "off" is the same as nothing.
func responseUsage(c *patch, name string, v value) *protocol.Error {
	switch v.text {
	case "off":
		v.null = true
	case "on":
		v.raw = rawjson.MustMarshal("tokens")
	}
	return asGiven(c, name, v)
}

// model chooses the session's model; null chooses the default.
func model(c *patch, name string, v value) *protocol.Error {
	agent := c.agent()
	fallback := c.Config.DefaultModel(agent)
	if v.null {
		chooseModel(c.fields, fallback, true)
		return nil
	}
	v, err := trimmedText(name, v)
	if err != nil {
		return err
	}
	m, ok := c.Config.ParseModel(agent, v.text)
	if !ok {
		return protocol.Invalidf("invalid model: %s", v.text)
	}
	if !c.Config.ModelAllowed(agent, m, Subagent(c.Key)) {
		return protocol.Invalidf("model not allowed: %s", m)
	}
	chooseModel(c.fields, m, m == fallback)
	return nil
}
