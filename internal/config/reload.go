package config

import (
	"bytes"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/parleyd/parley/internal/rawjson"
)

// Reload is the configuration that a daemon which runs with c can go on with,
// now that its files may have changed: read and checked as at a start, except
// that what takes effect at a start only stays as it is in c (NeedsRestart
// names it). An error leaves nothing but c.
func (c *Config) Reload() (*Config, []Warning, error) {
	if c.fixed {
		return c, nil, nil
	}
	next, warnings, err := complete(loadFrom(c.options, c.places))
	if err != nil {
		return nil, warnings, err
	}
	next.outlast(c)
	if next, _, err = EnsureToken(next); err != nil {
		return nil, warnings, err
	}
	return next, warnings, next.CheckStart()
}

// A Change is a key that has another value now. Values are JSON without
// secrets, "" where there is none, and cut where they are long.
type Change struct{ Path, Old, New string }

// Changes are the keys in which the text of next differs from that of c.
func (c *Config) Changes(next *Config) []Change {
	d := differ{}
	was, now := c.source, next.source
	d.compare("", pair{was.Resolved, was.Redacted().Resolved}, pair{now.Resolved, now.Redacted().Resolved})
	return d.found
}

// pair is a value, and the same without its secrets.
type pair struct{ whole, shown rawjson.Value }

type differ struct{ found []Change }

// compare goes down to the values that differ.
func (d *differ) compare(at string, was, now pair) {
	if bytes.Equal(was.whole, now.whole) {
		return
	}
	a, afault := was.members()
	b, bfault := now.members()
	if afault || bfault || at != "" && (len(a) == 0 || len(b) == 0) {
		d.found = append(d.found, Change{at, cutValue(was.shown), cutValue(now.shown)})
		return
	}
	for _, m := range a {
		d.compare(join(at, m.name), m.pair, find(b, m.name))
	}
	for _, m := range b {
		if find(a, m.name).whole == nil {
			d.compare(join(at, m.name), pair{}, m.pair)
		}
	}
}

type named struct {
	name string
	pair
}

func find(list []named, name string) pair {
	for _, m := range list {
		if m.name == name {
			return m.pair
		}
	}
	return pair{}
}

// members are those of an object or a list; of anything else it reports a fault.
func (p pair) members() (out []named, fault bool) {
	switch rawjson.Kind(p.whole) {
	case 0: // there is none
		return nil, false
	case '{':
		whole, err := rawjson.Parse(p.whole)
		shown, err2 := rawjson.Parse(p.shown)
		if err != nil || err2 != nil {
			return nil, true
		}
		for name, v := range whole.All() {
			out = append(out, named{name, pair{v, shown.Get(name)}})
		}
		return out, false
	case '[':
		whole, _ := rawjson.Array(p.whole)
		shown, _ := rawjson.Array(p.shown)
		if len(whole) != len(shown) {
			return nil, true
		}
		for i, v := range whole {
			out = append(out, named{strconv.Itoa(i), pair{v, shown[i]}})
		}
		return out, false
	}
	return nil, true
}

// shownValue is how much of a value is shown.
const shownValue = 200

func cutValue(v rawjson.Value) string {
	if len(v) <= shownValue {
		return string(v)
	}
	return string(bytes.ToValidUTF8(v[:shownValue], nil)) + "…"
}

// Watched are the files whose change may change the configuration, whether they
// are there or not.
func (c *Config) Watched() []string {
	return append(slices.Clone(c.source.Files), filepath.Join(c.places.work, ".env"), filepath.Join(c.places.state, ".env"))
}
