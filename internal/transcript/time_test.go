package transcript

import (
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	local := time.Date(2023, 3, 1, 10, 0, 0, 0, time.Local).UTC().Format(time.RFC3339)
	for _, tt := range []struct{ in, want string }{
		{"2023-03-01T10:00:00.123Z", "2023-03-01T10:00:00.123Z"},
		{"2023-03-01T10:00:00+02:00", "2023-03-01T08:00:00Z"},
		{"2023-03-01T10:00:00+0200", "2023-03-01T08:00:00Z"},
		{"2023-03-01T10:00Z", "2023-03-01T10:00:00Z"},
		{"2023-03-01T10:00:00", local},
		{"2023-03-01 10:00:00", local},
		{"2023-03-01 10:00", local},
		{"2023-03-01 10:00:00Z", "2023-03-01T10:00:00Z"},
		{"2023-03-01", "2023-03-01T00:00:00Z"},
		{"2023-03", "2023-03-01T00:00:00Z"},
		{"2023", "2023-01-01T00:00:00Z"},
		{"yesterday", ""},
		{" ", ""},
		{"", ""},
	} {
		got := ""
		if at, ok := parseTime(tt.in); ok {
			got = at.UTC().Format(time.RFC3339Nano)
		}
		if got != tt.want {
			t.Errorf("%q: %s, want %s", tt.in, got, tt.want)
		}
	}
}
