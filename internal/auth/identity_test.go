package auth

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestIdentity(t *testing.T) {
	dir := t.TempDir()
	first, err := LoadIdentity(dir, nil, quiet())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "identity", "device.json")
	text, err := os.ReadFile(path)
	if err != nil || !bytes.HasSuffix(text, []byte("}\n")) || !bytes.HasPrefix(text, []byte("{\n  \"version\": 1,\n")) {
		t.Errorf("file %q, err %v", text, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, err %v", info.Mode(), err)
	}
	key, err := decodeKey(first.PublicKey)
	if err != nil || DeviceID(key) != first.DeviceID {
		t.Errorf("identity %+v, err %v", first, err)
	}
	if again, err := LoadIdentity(dir, nil, quiet()); err != nil || again != first {
		t.Errorf("read again: %+v, err %v, want %+v", again, err, first)
	}
	if err := os.WriteFile(path, bytes.Replace(text, []byte("privateKeyPem"), []byte("lost"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if other, err := LoadIdentity(dir, nil, quiet()); err != nil || other == first {
		t.Errorf("damaged file: %+v, err %v", other, err)
	}
	if kept, _ := filepath.Glob(path + ".corrupt.*"); len(kept) != 1 {
		t.Errorf("kept aside: %v", kept)
	}
}
