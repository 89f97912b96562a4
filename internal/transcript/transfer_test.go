package transcript

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTransferIsLossless(t *testing.T) {
	f := newFixture(t)
	// A line that is no UTF-8, a carriage return, an odd number, a torn end.
	text := "{\"type\":\"session\",\"version\":3,\"id\":\"a\"}\r\n{\"n\":1.50,\"x\":\"\xff\"}\n{\"torn"
	writeRaw(t, f.path("a"), text)
	var got []byte
	stamp := ""
	for len(got) < len(text) {
		s, err := f.Section(f.ref("a"), int64(len(got)), 10, stamp)
		if err != nil || s.Size != int64(len(text)) {
			t.Fatalf("section: %+v, %v", s, err)
		}
		if size, err := f.Receive(f.dir, "upload-1", int64(len(got)), s.Data); err != nil || size != int64(len(got)+len(s.Data)) {
			t.Fatalf("receive: %d, %v", size, err)
		}
		got, stamp = append(got, s.Data...), s.Stamp
	}
	path, err := f.Install(f.ref("b"), "upload-1", int64(len(text)))
	if err != nil || path != filepath.Join(f.dir, "b.jsonl") || f.read(t, f.path("b")) != text {
		t.Errorf("installed %s: %q, %v", path, f.read(t, f.path("b")), err)
	}
	if left, _ := filepath.Glob(filepath.Join(f.dir, "*.tmp")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestPartsMustFit(t *testing.T) {
	f := newFixture(t)
	writeRaw(t, f.path("taken"), "{}\n")
	receive := func(upload string, off int64) error {
		_, err := f.Receive(f.dir, upload, off, []byte("12345"))
		return err
	}
	for _, bad := range []string{"", "short", "UPPER-CASE", "../../etc/passwd", strings.Repeat("a", 65), "with.dots.jsonl"} {
		if err := receive(bad, 0); !errors.Is(err, ErrPart) {
			t.Errorf("upload %q: %v", bad, err)
		}
	}
	if err := errors.Join(receive("upload-1", 0), receive("upload-1", 5)); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"a second beginning": receive("upload-1", 0),
		"a gap":              receive("upload-1", 11),
		"no beginning":       receive("upload-2", 5),
		"another size":       install(f, "new", "upload-1", 9),
		"nothing there":      install(f, "new", "upload-3", 0),
	} {
		if !errors.Is(err, ErrPart) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := install(f, "taken", "upload-1", 10); !errors.Is(err, ErrExists) || f.read(t, f.path("taken")) != "{}\n" {
		t.Errorf("over another one: %v", err)
	}
	if err := install(f, "../x", "upload-1", 10); !errors.Is(err, ErrBadID) {
		t.Errorf("a bad id: %v", err)
	}
	if err := install(f, "new", "upload-1", 10); err != nil || f.read(t, f.path("new")) != "1234512345" {
		t.Errorf("after all that: %v", err)
	}
}

func install(f *fixture, id, upload string, size int64) error {
	_, err := f.Install(f.ref(id), upload, size)
	return err
}

func TestSectionOfARewrittenFile(t *testing.T) {
	f := newFixture(t)
	writeRaw(t, f.path("a"), "one\n")
	first, err := f.Section(f.ref("a"), 0, 2, "")
	if err != nil || string(first.Data) != "on" {
		t.Fatalf("%+v, %v", first, err)
	}
	path := filepath.Join(f.dir, "a.jsonl")
	if err := errors.Join(os.Rename(path, path+".old"), os.WriteFile(path, []byte("two\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Section(f.ref("a"), 2, 2, first.Stamp); !errors.Is(err, ErrRewritten) {
		t.Errorf("the next part: %v", err)
	}
	if _, err := f.Section(f.ref("none"), 0, 2, ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("no transcript: %v", err)
	}
}

func writeRaw(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
