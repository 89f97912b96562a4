package jstext

import (
	"strings"
	"testing"
)

func TestCollapseStartIsTheStart(t *testing.T) {
	for _, s := range []string{"", " \n ", "one", "  one \t two\u00a0three ", strings.Repeat("😀 word ", 20), strings.Repeat("x", 100)} {
		whole := CollapseSpace(s)
		for n := range 70 {
			got := CollapseStart(s, n)
			if !strings.HasPrefix(whole, got) {
				t.Fatalf("%q does not begin with %q", whole, got)
			}
			if Len(whole) <= n && got != whole || Len(whole) > n && Len(got) <= n {
				t.Errorf("%d units of %q are %q", n, whole, got)
			}
		}
	}
}
