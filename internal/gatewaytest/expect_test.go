package gatewaytest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// expectations writes a folder of scenarios with the list and reads it.
func expectations(t *testing.T, differences string) (*Expectations, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"chat/01-a.json": "{}", "chat/02-b.json": "{}", "differences.txt": differences,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return ReadExpectations(dir)
}

func TestExpectationsRefuseUnknownNames(t *testing.T) {
	for _, c := range [][2]string{
		{"chat/09-x | 1 | a | why", "no scenario is named"},
		{"chat/01-a | 1 | a | why\nchat/01-a | 1 | a | also why", "listed twice"},
		{"chat/01-a | 1 | a", "want: folder/name"},
		{"chat/01-a | x | a | why", "want: folder/name"},
	} {
		if _, err := expectations(t, c[0]); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("differences %q: error %v, want %q", c[0], err, c[1])
		}
	}
}

func TestJudge(t *testing.T) {
	e, err := expectations(t, "# x\nchat/01-a | 3 | payload.*.x | wanted\n")
	if err != nil {
		t.Fatal(err)
	}
	listed := []Fault{{Step: 3, Path: "payload.0.x"}, {Step: 3, Path: "payload.7.x"}}
	other := Fault{Step: 3, Path: "payload.x", Label: "l", Text: "want 1"}
	for _, c := range []struct {
		name   string
		faults []Fault
		want   string // of the error, "" for none
	}{
		{"chat/01-a", listed, ""},
		{"chat/01-a", nil, "did not occur"},
		{"chat/01-a", append(listed, other), "step 3 l: payload.x: want 1"},
		{"chat/01-a", []Fault{{Step: 4, Path: "payload.0.x"}}, "step 4"},
		{"chat/02-b", nil, ""},
		{"chat/02-b", []Fault{other}, "step 3 l"},
	} {
		err := e.Judge(c.name, c.faults)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %v: %v, want %q", c.name, c.faults, err, c.want)
		}
	}
}
