package config

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/parleyd/parley/internal/json5"
	"github.com/parleyd/parley/internal/rawjson"
)

// restoring undoes in an edited configuration what showing it has changed:
// Redacted becomes the stored secret again, and a text that is what a stored
// ${NAME} stands for becomes that reference again. A value is looked for where
// it stands now, elements of an array by their id if they have one.
type restoring struct {
	stored rawjson.Value // the file's content
	env    environment
	put    []restored // in the order of the text
}

// restored is one text that was replaced.
type restored struct {
	shown  string
	stored rawjson.Value
}

// restore is v with everything put back. A Redacted that stands for nothing is
// a *Refusal: nobody's secret is called that.
func (r *restoring) restore(v rawjson.Value) (rawjson.Value, error) {
	whole, err := r.value(v, r.stored, "")
	if err == nil && bytes.Contains(whole, []byte(Redacted)) {
		err = refusef("%s can only stand for a whole secret", Redacted)
	}
	return whole, err
}

// value restores v, which stood in the file as old, nil when it did not.
func (r *restoring) value(v, old rawjson.Value, at string) (rawjson.Value, error) {
	switch rawjson.Kind(v) {
	case '{':
		o, err := rawjson.Parse(v)
		if err != nil {
			return nil, err
		}
		before, _ := rawjson.Parse(old)
		for name, member := range o.Clone().All() {
			back, err := r.value(member, before.Get(name), join(at, name))
			if err != nil {
				return nil, err
			}
			o.Set(name, back)
		}
		return o.JSON(), nil
	case '[':
		list, _ := rawjson.Array(v)
		before, _ := rawjson.Array(old)
		for i := range list {
			back, err := r.value(list[i], counterpart(list, i, before), join(at, strconv.Itoa(i)))
			if err != nil {
				return nil, err
			}
			list[i] = back
		}
		return rawjson.MustMarshal(list), nil
	case '"':
		return r.scalar(v, old, at)
	}
	return v, nil
}

// scalar restores a text.
func (r *restoring) scalar(v, old rawjson.Value, at string) (rawjson.Value, error) {
	shown, _ := rawjson.Text(v)
	switch {
	case shown == Redacted && (old == nil || rawjson.Kind(old) == '{' || rawjson.Kind(old) == '['):
		return nil, refusef("%s: %s stands for no secret of this file; write the secret itself, or ${NAME}", at, Redacted)
	case shown == Redacted || r.refers(old, shown):
		r.put = append(r.put, restored{shown, old})
		return old, nil
	}
	return v, nil
}

// refers reports whether old is a text with references that stand for shown.
func (r *restoring) refers(old rawjson.Value, shown string) bool {
	text, ok := rawjson.Text(old)
	if !ok || text == shown || !strings.Contains(text, "${") {
		return false
	}
	v, _ := substitute(old, r.env)
	value, _ := rawjson.Text(v)
	return value == shown
}

// counterpart is the element of before that list[i] was: the one with its id,
// or the one in its place as long as none was added or removed.
func counterpart(list []rawjson.Value, i int, before []rawjson.Value) rawjson.Value {
	if id := elementID(list[i]); id != "" {
		if j := slices.IndexFunc(before, func(v rawjson.Value) bool { return elementID(v) == id }); j >= 0 {
			return before[j]
		}
		return nil
	}
	if len(list) == len(before) {
		return before[i]
	}
	return nil
}

func elementID(v rawjson.Value) string {
	o, err := rawjson.Parse(v)
	if err != nil {
		return ""
	}
	return o.Text("id")
}

// text is what to write for whole, which restore made of shown: shown with
// what was put back in it, so that comments and layout survive. Where that
// would give anything else than whole, they do not.
func (r *restoring) text(shown string, whole rawjson.Value) string {
	var b strings.Builder
	rest := shown
	for _, p := range r.put {
		before, after, found := strings.Cut(rest, p.shown)
		if !found {
			return indented(whole)
		}
		b.WriteString(before)
		b.WriteString(inside(p.stored, strings.HasSuffix(before, "'")))
		rest = after
	}
	b.WriteString(rest)
	text := b.String()
	if again, err := json5.Parse(text); err != nil || !bytes.Equal(again, whole) || strings.Contains(text, Redacted) {
		return indented(whole)
	}
	return text
}

// inside is what stands between the quotes of a text, which are double or
// single.
func inside(v rawjson.Value, single bool) string {
	if rawjson.Kind(v) != '"' {
		return string(v)
	}
	text := string(v[1 : len(v)-1])
	if single {
		text = strings.NewReplacer(`\\`, `\\`, `\"`, `"`, `'`, `\'`).Replace(text)
	}
	return text
}
