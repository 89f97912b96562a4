package gatewaytest

import (
	"strings"
	"testing"
)

func TestMask(t *testing.T) {
	const uuid = "11111111-2222-3333-4444-55555555555a"
	key := strings.Repeat("aB3-_x7", 7)[:43]
	hex64 := strings.Repeat("0123456789abcdef", 4)
	for in, want := range map[string]string{
		"/tmp/s/x":                           "<STATE>/x",
		"box, box-1, 1box, (box)":            "<HOST>, box-1, 1box, (<HOST>)",
		"x" + uuid + "y":                     "x<uuid#1>y",
		strings.ToUpper(uuid) + " " + uuid:   "<uuid#1> <uuid#1>",
		"2026-01-05T10:00:00Z":               "<iso>",
		"a.deleted.2026-01-05T10-00-00.123Z": "a.deleted.<iso>",
		"2026-01-05T10:00:00+01:00|":         "<iso>|",
		key:                                  "<key#1>",
		key + "x":                            key + "x",
		"." + key + ".":                      ".<key#1>.",
		strings.Repeat("a", 43):              strings.Repeat("a", 43), // no capital
		"at 1767225600000.":                  "at <ms>.",
		"17672256000001":                     "17672256000001",
		"1600000000000":                      "1600000000000",
		"http://127.0.0.1:8080/x, 127.0.0.1:90801": "http://127.0.0.1:<PORT>/x, 127.0.0.1:<MODEL>1",
		"0badcafe":          "<hex#1>",
		"0badcafe0":         "0badcafe0",
		"0BADCAFE":          "0BADCAFE",
		hex64:               "<hex#1>",
		"00000000-0badcafe": "<hex#1>-<hex#2>",
	} {
		m := newMasker("/tmp/s", "box", 8080, 9080)
		if got := m.text(in); got != want {
			t.Errorf("%s = %s, want %s", in, got, want)
		}
	}
}

func TestMaskNumbers(t *testing.T) {
	m := newMasker("/tmp/s", "box", 1, 2)
	for in, want := range map[float64]any{
		1.7e12: 1.7e12, 1.7e12 + 1: "<ms>", 1.9e12 + 0.5: 1.9e12 + 0.5, 2e12: 2e12, 5: 5.0,
	} {
		if got := m.value(in); got != want {
			t.Errorf("%v = %v, want %v", in, got, want)
		}
	}
}
