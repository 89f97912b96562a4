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

// Patch applies changes to an entry, in the order of the table fields, and marks
// it as updated. It is all or nothing: the first fault, a *protocol.Error, is
// returned and e stays as it is.
func Patch(e Entry, p protocol.SessionChanges, r Rules) (Entry, error) {
	o := e.Fields().Clone()
	touch(&o, r.Now)
	c := &patch{Rules: r, fields: &o, changes: &p}
	for i := range fields {
		f := &fields[i]
		v := f.in(&p)
		if !v.set {
			continue
		}
		if err := f.apply(c, v); err != nil {
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
	fields  *rawjson.Object
	changes *protocol.SessionChanges
}

// value is what a patch says of a field: nothing, null or a value.
type value struct {
	set, null bool
	text      string        // of a string
	raw       rawjson.Value // what is stored
}

type changes = protocol.SessionChanges

// text makes the column in of a field that holds a string.
func text(of func(*changes) protocol.Opt[string]) func(*changes) value {
	return func(p *changes) value {
		o := of(p)
		v := value{set: o.Set, null: o.Null}
		if o.Set && !o.Null {
			v.say(o.Value)
		}
		return v
	}
}

// raw makes the column in of any other field.
func raw[T any](of func(*changes) protocol.Opt[T]) func(*changes) value {
	return func(p *changes) value {
		o := of(p)
		if !o.Set || o.Null {
			return value{set: o.Set, null: o.Null}
		}
		return value{set: true, raw: rawjson.MustMarshal(o.Value)}
	}
}

// say makes the value a string.
func (v *value) say(s string) { v.text, v.raw = s, rawjson.AppendString(nil, s) }

// field is one field that can be patched: its row in the table of rules (spec:
// sessions 10.1). What the schema accepts is judged before.
type field struct {
	name string
	in   func(*changes) value
	// lineage: the field tells where a spawned session comes from. Only such a
	// session has it, and once set it stays. Of other fields null removes them.
	lineage bool
	// number: of a lineage field only a number counts as set.
	number bool
	// trim: white space around the text does not count.
	trim bool
	// filled: an empty text is refused, "invalid <name>: empty"; of a lineage
	// field before its session is looked at, if filledFirst.
	filled, filledFirst bool
	// words are the texts that are accepted, with what is stored for each, and
	// hint names them in the refusal "invalid <name> (use <hint>)". Without words
	// the value is stored as it is.
	words vocabulary
	hint  string
	// rule, for a value that is not null, refuses or decides what is stored.
	rule func(*patch, *value) *protocol.Error
	// store stands for storing the value or removing the field.
	store func(*patch, value)
}

// fields is everything that can be patched, in the order in which faults are
// found and fields are written.
var fields = []field{
	{name: "spawnedBy", in: text(func(c *changes) protocol.Opt[string] { return c.SpawnedBy }), lineage: true, trim: true, filled: true, filledFirst: true},
	{name: "spawnedWorkspaceDir", in: text(func(c *changes) protocol.Opt[string] { return c.SpawnedWorkspaceDir }), lineage: true, trim: true, filled: true},
	{name: "spawnDepth", in: raw(func(c *changes) protocol.Opt[protocol.Int] { return c.SpawnDepth }), lineage: true, number: true},
	{name: "subagentRole", in: text(func(c *changes) protocol.Opt[string] { return c.SubagentRole }), lineage: true},
	{name: "subagentControlScope", in: text(func(c *changes) protocol.Opt[string] { return c.SubagentControlScope }), lineage: true},
	{name: "label", in: text(func(c *changes) protocol.Opt[string] { return c.Label }), trim: true, filled: true, rule: labelFree},
	{name: "thinkingLevel", in: text(func(c *changes) protocol.Opt[string] { return c.ThinkingLevel }), trim: true, rule: thinking},
	{name: "fastMode", in: raw(func(c *changes) protocol.Opt[bool] { return c.FastMode })},
	{name: "verboseLevel", in: text(func(c *changes) protocol.Opt[string] { return c.VerboseLevel }), words: verboseWords, hint: `"on"|"off"`},
	{name: "reasoningLevel", in: text(func(c *changes) protocol.Opt[string] { return c.ReasoningLevel }), words: reasoningWords, hint: `"on"|"off"|"stream"`},
	{name: "responseUsage", in: text(func(c *changes) protocol.Opt[string] { return c.ResponseUsage }), rule: usageWord},
	{name: "elevatedLevel", in: text(func(c *changes) protocol.Opt[string] { return c.ElevatedLevel }), words: elevatedWords, hint: `"on"|"off"|"ask"|"full"`},
	{name: "execHost", in: text(func(c *changes) protocol.Opt[string] { return c.ExecHost }), trim: true, words: execHostWords, hint: `"sandbox"|"gateway"|"node"`},
	{name: "execSecurity", in: text(func(c *changes) protocol.Opt[string] { return c.ExecSecurity }), trim: true, words: execSecurityWords, hint: `"deny"|"allowlist"|"full"`},
	{name: "execAsk", in: text(func(c *changes) protocol.Opt[string] { return c.ExecAsk }), trim: true, words: execAskWords, hint: `"off"|"on-miss"|"always"`},
	{name: "execNode", in: text(func(c *changes) protocol.Opt[string] { return c.ExecNode }), trim: true, filled: true},
	{name: "model", in: text(func(c *changes) protocol.Opt[string] { return c.Model }), trim: true, filled: true, rule: modelAllowed, store: chosen},
	{name: "sendPolicy", in: text(func(c *changes) protocol.Opt[string] { return c.SendPolicy })},
	{name: "groupActivation", in: text(func(c *changes) protocol.Opt[string] { return c.GroupActivation })},
}

// apply puts a value that the patch has into the entry, or refuses it.
func (f *field) apply(c *patch, v value) *protocol.Error {
	if f.trim && !v.null {
		v.say(jstext.Trim(v.text))
	}
	if err := f.judge(c, &v); err != nil {
		return err
	}
	switch {
	case f.store != nil:
		f.store(c, v)
	case v.null && f.lineage: // not set: there is nothing to clear
	case v.null:
		c.fields.Delete(f.name)
	default:
		c.fields.Set(f.name, v.raw)
	}
	return nil
}

// judge holds a value against the columns of the table.
func (f *field) judge(c *patch, v *value) *protocol.Error {
	empty := f.filled && !v.null && v.text == ""
	switch {
	case empty && (f.filledFirst || !f.lineage):
		return protocol.Invalidf("invalid %s: empty", f.name)
	case f.lineage:
		if err := f.judgeLineage(c, v, empty); err != nil {
			return err
		}
	}
	if v.null {
		return nil
	}
	if f.words != nil {
		word, ok := f.words.lookup(v.text)
		if !ok {
			return protocol.Invalidf("invalid %s (use %s)", f.name, f.hint)
		}
		v.say(word)
	}
	if f.rule != nil {
		return f.rule(c, v)
	}
	return nil
}

func (f *field) judgeLineage(c *patch, v *value, empty bool) *protocol.Error {
	was := c.fields.Get(f.name)
	set := rawjson.Truthy(was)
	if f.number {
		set = rawjson.Kind(was) == '0' // also 0
	}
	switch {
	case v.null && set:
		return protocol.Invalidf("%s cannot be cleared once set", f.name)
	case v.null:
		return nil
	case !Spawned(c.Key):
		return protocol.Invalidf("%s is only supported for subagent:* or acp:* sessions", f.name)
	case empty:
		return protocol.Invalidf("invalid %s: empty", f.name)
	case set && !sameScalar(was, v.raw) && !sameNumber(was, v.raw):
		return protocol.Invalidf("%s cannot be changed once set", f.name)
	}
	return nil
}

// sameNumber reports whether both are one number, however it is spelled.
func sameNumber(a, b rawjson.Value) bool {
	n, ok := rawjson.Number(a)
	m, too := rawjson.Number(b)
	return ok && too && n == m
}

// labelFree refuses a name that another session of the file has.
func labelFree(c *patch, v *value) *protocol.Error {
	if c.LabelTaken != nil && c.LabelTaken(v.text) {
		return protocol.Invalidf("label already in use: %s", v.text)
	}
	return nil
}

// thinking knows more words than a vocabulary can list, and which levels there
// are depends on the model.
func thinking(c *patch, v *value) *protocol.Error {
	level, ok := thinkingLevel(v.text)
	if !ok {
		return protocol.Invalidf("invalid thinkingLevel (use %s)", thinkingHint(c.selected()))
	}
	v.say(level)
	return nil
}

// settleThinking holds xhigh against the model that the session has after the
// patch: refused when just asked for, lowered when it was there before.
func (c *patch) settleThinking() *protocol.Error {
	if c.fields.Text("thinkingLevel") != xhigh || config.XHigh(c.selected()) {
		return nil
	}
	if c.changes.ThinkingLevel.Set {
		return protocol.Invalidf(`thinkingLevel "xhigh" is only supported for provider models that advertise xhigh reasoning`)
	}
	c.fields.Put("thinkingLevel", "high")
	return nil
}

func (c *patch) selected() config.ModelRef {
	return SelectedModel(c.Config, c.agent(), NewEntry(*c.fields))
}

// usageWord knows "on" from older clients; "off" is the same as nothing.
func usageWord(_ *patch, v *value) *protocol.Error {
	switch v.text {
	case "off":
		v.null = true
	case "on":
		v.say("tokens")
	}
	return nil
}

// modelAllowed refuses a text that names no model, or one that the session may
// not have.
func modelAllowed(c *patch, v *value) *protocol.Error {
	m, ok := c.Config.ParseModel(c.agent(), v.text)
	if !ok {
		return protocol.Invalidf("invalid model: %s", v.text)
	}
	if !c.Config.ModelAllowed(c.agent(), m, Subagent(c.Key)) {
		return protocol.Invalidf("model not allowed: %s", m)
	}
	return nil
}

// chosen makes a model the session's; null chooses the default.
func chosen(c *patch, v value) {
	fallback := c.Config.DefaultModel(c.agent())
	m := fallback
	if !v.null {
		m, _ = c.Config.ParseModel(c.agent(), v.text)
	}
	chooseModel(c.fields, m, m == fallback)
}
