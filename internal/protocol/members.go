package protocol

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/parleyd/parley/internal/rawjson"
)

// members are those of one object as JavaScript sees them: of repeated names
// the last value, at the place of the first; names that look like an array
// index come first, in ascending order.
type members struct {
	names  []string
	values map[string]rawjson.Value
}

func newMembers(raw rawjson.Value) members {
	m := members{values: map[string]rawjson.Value{}}
	var indexed []string
	eachMember(raw, func(name, value []byte) {
		key := text(name)
		if !m.has(key) {
			if _, ok := arrayIndex(key); ok {
				indexed = append(indexed, key)
			} else {
				m.names = append(m.names, key)
			}
		}
		m.values[key] = value
	})
	slices.SortFunc(indexed, func(a, b string) int {
		i, _ := arrayIndex(a)
		j, _ := arrayIndex(b)
		return cmp.Compare(i, j)
	})
	m.names = append(indexed, m.names...)
	return m
}

func (m members) has(name string) bool {
	_, ok := m.values[name]
	return ok
}

// arrayIndex is the number that name spells, if it is one of 0 to 2^32-2 in
// its only canonical spelling.
func arrayIndex(name string) (uint64, bool) {
	if name == "" || len(name) > 10 || (name[0] == '0' && name != "0") || name[0] == '+' {
		return 0, false
	}
	n, err := strconv.ParseUint(name, 10, 32)
	return n, err == nil && n != 1<<32-1
}
