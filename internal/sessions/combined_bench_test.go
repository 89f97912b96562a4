package sessions

import (
	"fmt"
	"testing"
)

// benchViews is n entries in some stores of as many agents, and the same after
// a change of one.
func benchViews(b *testing.B, n, agents int) (keys Keys, stores []*Store, before, after []*Snapshot) {
	b.Helper()
	keys = Keys{DefaultAgent: "main"}
	for a := range agents {
		agent := fmt.Sprintf("agent%d", a)
		v := newSnapshot(keys, agent)
		for i := a; i < n; i += agents {
			v.put(fmt.Sprintf("agent:%s:k%d", agent, i), entryOf(b, fmt.Sprintf(
				`{"sessionId":"s%d","updatedAt":%d,"label":"l%d","spawnedBy":"agent:%s:k%d"}`, i, i, i, agent, i/10*10)))
		}
		stores = append(stores, &Store{path: agent, agent: agent})
		before = append(before, v)
	}
	after = append(after, before...)
	after[0] = before[0].clone()
	after[0].put("agent:agent0:k0", entryOf(b, `{"sessionId":"s0","updatedAt":1e9,"label":"l0"}`))
	return keys, stores, before, after
}

// BenchmarkCombined is what list and resolve need of the view over the stores,
// each right after a change.
func BenchmarkCombined(b *testing.B) {
	for _, agents := range []int{1, 3} {
		for _, n := range []int{100, 1000, 10_000, 100_000} {
			keys, stores, before, after := benchViews(b, n, agents)
			bench := func(name string, use func(c *Combined, i int) bool) {
				b.Run(fmt.Sprintf("%s/stores=%d/entries=%d", name, agents, n), func(b *testing.B) {
					b.ReportAllocs()
					for i := 0; b.Loop(); i++ {
						views := before
						if i%2 == 0 {
							views = after
						}
						if !use(combine(keys, stores, views), i*101%n) {
							b.Fatal("not found")
						}
					}
				})
			}
			bench("recent50", func(c *Combined, _ int) bool {
				rows := 0
				for s := range c.Recent() {
					c.Children(s.Key)
					if rows++; rows == 50 {
						return true
					}
				}
				return false
			})
			bench("label", func(c *Combined, i int) bool { return len(c.WithLabel(fmt.Sprint("l", i))) == 1 })
			bench("id", func(c *Combined, i int) bool { return len(c.Identified(fmt.Sprint("s", i))) == 1 })
			bench("key", func(c *Combined, i int) bool {
				_, ok := c.Get(fmt.Sprintf("agent:agent%d:k%d", i%agents, i))
				return ok
			})
		}
	}
}

// BenchmarkStores finds the stores of that many agents and makes the view.
func BenchmarkStores(b *testing.B) {
	for _, agents := range []int{1, 20, 200} {
		b.Run(fmt.Sprintf("agents=%d", agents), func(b *testing.B) {
			s := openTest(b, configured(b, `{}`), Options{})
			for i := range agents {
				writeFile(b, s.usual(fmt.Sprintf("a%d", i)), `{"x":{}}`)
			}
			b.ReportAllocs()
			for b.Loop() {
				s.Combined()
			}
		})
	}
}
