package sessions

import (
	"math"
	"strconv"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// migrate renames the fields of old releases. It is applied to every entry
// that is read from a file; the file shows it with the next write.
func migrate(e Entry) Entry {
	o := e.Fields()
	if !o.Has("provider") && !o.Has("lastProvider") && !o.Has("room") {
		return e
	}
	return e.With(func(o *rawjson.Object) {
		rename(o, "provider", "channel")
		rename(o, "lastProvider", "lastChannel")
		rename(o, "room", "groupChannel")
		o.Delete("room")
	})
}

// rename moves a text field unless the new one holds a text already.
func rename(o *rawjson.Object, from, to string) {
	old := o.Get(from)
	if rawjson.Kind(old) != '"' || rawjson.Kind(o.Get(to)) == '"' {
		return
	}
	o.Set(to, old)
	o.Delete(from)
}

// normalize brings an entry into the form that a file holds: model names
// trimmed, the two forms of the delivery route in step. An entry that is in
// this form already is returned as it is.
func normalize(e Entry) Entry { return normalizeDelivery(normalizeModel(e)) }

// formFields are the fields that normalize looks at.
var formFields = [...]string{
	"model", "modelProvider", "deliveryContext", "channel", "origin", "lastChannel", "lastTo", "lastAccountId", "lastThreadId",
}

// sameForm reports whether two entries are the same to normalize.
func sameForm(a, b rawjson.Object) bool {
	for _, name := range formFields {
		if string(a.Get(name)) != string(b.Get(name)) {
			return false
		}
	}
	return true
}

func normalizeModel(e Entry) Entry {
	if !e.Fields().Has("model") && !e.Fields().Has("modelProvider") {
		return e
	}
	model, provider := jstext.Trim(e.Text("model")), jstext.Trim(e.Text("modelProvider"))
	if model == e.Text("model") && provider == e.Text("modelProvider") && model != "" && (provider != "" || !e.Fields().Has("modelProvider")) {
		return e
	}
	return e.With(func(o *rawjson.Object) {
		if model == "" {
			o.Delete("model", "modelProvider")
			return
		}
		o.Put("model", model)
		if provider == "" {
			o.Delete("modelProvider")
		} else {
			o.Put("modelProvider", provider)
		}
	})
}

// Route is where answers of a session go. Members that are nil are absent.
type Route struct{ Channel, To, AccountID, ThreadID rawjson.Value }

// EntryRoute is the route of an entry as rows show it: the last* fields (with
// channel for lastChannel), completed by deliveryContext.
func EntryRoute(e Entry) Route {
	return route(e, e.Value("lastThreadId"))
}

func route(e Entry, thread rawjson.Value) Route {
	last := newRoute(orElse(e.Value("lastChannel"), e.Value("channel")), e.Value("lastTo"), e.Value("lastAccountId"), thread)
	return last.merge(contextRoute(e))
}

func contextRoute(e Entry) Route {
	c, err := rawjson.Parse(e.Value("deliveryContext"))
	if err != nil {
		return Route{}
	}
	return newRoute(c.Get("channel"), c.Get("to"), c.Get("accountId"), c.Get("threadId"))
}

func newRoute(channel, to, account, thread rawjson.Value) Route {
	return Route{
		Channel:   textOf(channel, channelID),
		To:        textOf(to, nil),
		AccountID: textOf(account, slugID),
		ThreadID:  threadOf(thread),
	}
}

// channelNames are other names of channels.
var channelNames = map[string]string{
	"gchat":               "googlechat",
	"google-chat":         "googlechat",
	"imsg":                "imessage",
	"internet-relay-chat": "irc",
}

// channelID is the id of the channel with this name.
func channelID(name string) string {
	name = jstext.Lower(name)
	if id, ok := channelNames[name]; ok {
		return id
	}
	return name
}

// merge completes r by s, unless the two name different channels.
func (r Route) merge(s Route) Route {
	if r.Channel != nil && s.Channel != nil && string(r.Channel) != string(s.Channel) {
		return r
	}
	return Route{orElse(r.Channel, s.Channel), orElse(r.To, s.To), orElse(r.AccountID, s.AccountID), orElse(r.ThreadID, s.ThreadID)}
}

// Context is the route as a deliveryContext object, nil when it is empty.
func (r Route) Context() rawjson.Value {
	var o rawjson.Object
	r.each("channel", "to", "accountId", "threadId", func(name string, v rawjson.Value) {
		if v != nil {
			o.Set(name, v)
		}
	})
	if o.Len() == 0 {
		return nil
	}
	return o.JSON()
}

func (r Route) each(channel, to, account, thread string, f func(name string, v rawjson.Value)) {
	f(channel, r.Channel)
	f(to, r.To)
	f(account, r.AccountID)
	f(thread, r.ThreadID)
}

func normalizeDelivery(e Entry) Entry {
	origin, _ := rawjson.Parse(e.Value("origin"))
	context, _ := rawjson.Parse(e.Value("deliveryContext"))
	thread := orElse(e.Value("lastThreadId"), orElse(context.Get("threadId"), origin.Get("threadId")))
	r := route(e, thread)
	if inStep(e, context, r) {
		return e
	}
	return e.With(func(o *rawjson.Object) {
		set := func(name string, v rawjson.Value) {
			if v == nil {
				o.Delete(name)
			} else {
				o.Set(name, v)
			}
		}
		set("deliveryContext", r.Context())
		r.each("lastChannel", "lastTo", "lastAccountId", "lastThreadId", set)
	})
}

// inStep reports whether both forms of the route in e say r already.
func inStep(e Entry, context rawjson.Object, r Route) bool {
	same := true
	r.each("channel", "to", "accountId", "threadId", func(name string, v rawjson.Value) {
		same = same && sameScalar(context.Get(name), v)
	})
	r.each("lastChannel", "lastTo", "lastAccountId", "lastThreadId", func(name string, v rawjson.Value) {
		same = same && sameScalar(e.Value(name), v)
	})
	return same
}

func sameScalar(a, b rawjson.Value) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	if s, ok := rawjson.Text(a); ok {
		t, ok := rawjson.Text(b)
		return ok && s == t
	}
	return string(a) == string(b)
}

// orElse is JavaScript's ??: v unless it is absent or null.
func orElse(v, other rawjson.Value) rawjson.Value {
	if rawjson.Null(v) {
		return other
	}
	return v
}

// textOf is a text trimmed and mapped, or nil when it is no text or blank.
func textOf(v rawjson.Value, mapped func(string) string) rawjson.Value {
	s, _ := rawjson.Text(v)
	if s = jstext.Trim(s); s != "" && mapped != nil {
		s = mapped(s)
	}
	if s == "" {
		return nil
	}
	return rawjson.MustMarshal(s)
}

// threadOf is a thread id: a text trimmed, or a number cut to an integer.
func threadOf(v rawjson.Value) rawjson.Value {
	f, ok := rawjson.Number(v)
	if !ok {
		return textOf(v, nil)
	}
	if _, err := strconv.ParseInt(string(v), 10, 64); err == nil {
		return v
	}
	return rawjson.Value(strconv.FormatFloat(math.Trunc(f), 'f', -1, 64))
}

// keepACP gives an entry the acp field of the one it replaces: no change that
// is made here may end an external agent's session.
func keepACP(old, e Entry) Entry {
	acp := old.Value("acp")
	if rawjson.Null(acp) || !rawjson.Null(e.Value("acp")) {
		return e
	}
	return e.With(func(o *rawjson.Object) { o.Set("acp", acp) })
}
