package sessions

import (
	"fmt"
	"strings"
	"testing"
)

// sized is a store with n entries of the size that real ones have.
func sized(b *testing.B, n int) *Store {
	var text strings.Builder
	text.WriteString("{")
	for i := range n {
		if i > 0 {
			text.WriteString(",")
		}
		fmt.Fprintf(&text, `"agent:main:k%d":{"sessionId":"s%d","updatedAt":%d,"label":"l%d","skillsSnapshot":{"prompt":"%s"}}`, i, i, i, i, strings.Repeat("x", 700))
	}
	text.WriteString("}")
	st := openOne(b, text.String())
	if err := set(b.Context(), st, "agent:main:first", entryOf(b, `{"sessionId":"f"}`)); err != nil {
		b.Fatal(err)
	}
	return st
}

func BenchmarkUpdate(b *testing.B) {
	for _, n := range []int{100, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			st := sized(b, n)
			i := 0
			for b.Loop() {
				i++
				if err := set(b.Context(), st, "agent:main:k7", entryOf(b, fmt.Sprintf(`{"updatedAt":%d}`, i))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFind(b *testing.B) {
	st := sized(b, 5000)
	for b.Loop() {
		_ = st.View(func(v *Snapshot) error {
			if _, _, ok := v.Find("agent:main:k77"); !ok {
				b.Fatal("not found")
			}
			return nil
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	st := sized(b, 5000)
	for b.Loop() {
		if _, err := readContent(nil, st.path, st.keys, st.agent); err != nil {
			b.Fatal(err)
		}
	}
}
