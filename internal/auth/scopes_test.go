package auth

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNormalizeScopes(t *testing.T) {
	for _, tc := range []struct{ in, want []string }{
		{nil, []string{}},
		{[]string{"", " "}, []string{}},
		{[]string{" operator.write ", "operator.write"}, []string{"operator.read", "operator.write"}},
		{[]string{"operator.pairing", "operator.admin"}, []string{"operator.admin", "operator.pairing", "operator.read", "operator.write"}},
		{[]string{"z", "custom.scope"}, []string{"custom.scope", "z"}},
	} {
		if d := cmp.Diff(tc.want, NormalizeScopes(tc.in)); d != "" {
			t.Errorf("%q (-want +got):\n%s", tc.in, d)
		}
	}
}

func TestMissingScope(t *testing.T) {
	for _, tc := range []struct {
		role           string
		asked, granted []string
		want           string
	}{
		{"operator", nil, nil, ""},
		{"operator", []string{" "}, nil, ""},
		{"operator", []string{"operator.read"}, nil, "operator.read"},
		{"operator", []string{"operator.read"}, []string{"operator.write"}, ""},
		{"operator", []string{"operator.write"}, []string{"operator.read"}, "operator.write"},
		{"operator", []string{"operator.pairing", "operator.anything"}, []string{"operator.admin"}, ""},
		{"operator", []string{"custom.scope"}, []string{"operator.admin"}, "custom.scope"},
		{"operator", []string{"operator.approvals"}, []string{"operator.write"}, "operator.approvals"},
		{"operator", []string{"operator.admin"}, []string{"operator.write", "operator.pairing"}, "operator.admin"},
		{"operator", []string{" custom.scope "}, []string{"custom.scope"}, ""},
		{"node", []string{"operator.read"}, []string{"operator.admin"}, "operator.read"},
		{"node", []string{"operator.read"}, []string{"operator.write"}, "operator.read"},
		{"node", []string{"camera"}, []string{"camera"}, ""},
	} {
		if got := MissingScope(tc.role, tc.asked, tc.granted); got != tc.want {
			t.Errorf("MissingScope(%s, %q, %q) = %q, want %q", tc.role, tc.asked, tc.granted, got, tc.want)
		}
	}
}
