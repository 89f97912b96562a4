package auth

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/protocol"
)

func openDevices(t *testing.T, dir string) *Devices {
	t.Helper()
	d, err := OpenDevices(dir, nil, quiet())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// visitor is a command line on this machine that asks for scopes.
func visitor(id string, scopes ...string) Visitor {
	return Visitor{
		Claim:  Claim{DeviceID: id, PublicKey: "key of " + id, Role: "operator", Scopes: scopes},
		Client: protocol.Client{ID: "cli", Version: "1", Mode: "cli", Platform: "linux"},
		Silent: true,
	}
}

func remote(v Visitor) Visitor {
	v.Silent, v.RemoteIP = false, "203.0.113.9"
	return v
}

func admit(t *testing.T, d *Devices, v Visitor) Admission {
	t.Helper()
	a, err := d.Admit(v)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func admitted(t *testing.T, d *Devices, v Visitor) Admission {
	t.Helper()
	a := admit(t, d, v)
	if a.Refused != nil {
		t.Fatalf("refused: %+v", *a.Refused)
	}
	return a
}

func refusedFor(t *testing.T, d *Devices, v Visitor) PairingRefusal {
	t.Helper()
	a := admit(t, d, v)
	if a.Refused == nil {
		t.Fatal("let in")
	}
	return *a.Refused
}

// writeFile puts a file into the devices directory.
func writeFile(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "devices"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "devices", name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// read is a file of the devices directory with all random and temporal parts
// replaced.
func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "devices", name))
	if err != nil {
		t.Fatal(err)
	}
	return mask(string(text))
}

func mask(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		name, value, found := strings.Cut(line, ": ")
		switch name = strings.Trim(name, ` "`); {
		case found && strings.HasSuffix(name, "Ms") || name == "ts":
			line = strings.Replace(line, strings.TrimRight(value, ",\n"), "TIME", 1)
		case found && name == "token":
			line = strings.Replace(line, strings.TrimRight(value, ",\n"), "SECRET", 1)
		}
		out = append(out, line)
	}
	return strings.Join(out, "")
}

func TestPairedFile(t *testing.T) {
	dir := t.TempDir()
	d := openDevices(t, dir)
	a := admitted(t, d, visitor("d1", "operator.write"))
	const want = `{
  "d1": {
    "deviceId": "d1",
    "publicKey": "key of d1",
    "platform": "linux",
    "clientId": "cli",
    "clientMode": "cli",
    "role": "operator",
    "roles": [
      "operator"
    ],
    "scopes": [
      "operator.write"
    ],
    "approvedScopes": [
      "operator.write"
    ],
    "tokens": {
      "operator": {
        "token": SECRET,
        "role": "operator",
        "scopes": [
          "operator.read",
          "operator.write"
        ],
        "createdAtMs": TIME
      }
    },
    "createdAtMs": TIME,
    "approvedAtMs": TIME
  }
}`
	if d := cmp.Diff(want, read(t, dir, "paired.json")); d != "" {
		t.Errorf("paired.json (-want +got):\n%s", d)
	}
	if got := read(t, dir, "pending.json"); got != "{}" {
		t.Errorf("pending.json = %s", got)
	}
	for _, name := range []string{"paired.json", "pending.json"} {
		info, err := os.Stat(filepath.Join(dir, "devices", name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, err %v", name, info.Mode(), err)
		}
	}
	if a.Resolved == nil || a.Resolved.Decision != "approved" || a.Resolved.DeviceID != "d1" {
		t.Errorf("resolved = %+v", a.Resolved)
	}
	if tok := a.Token; tok == nil || len(tok.DeviceToken) != 43 || tok.IssuedAtMs == 0 || tok.Role != "operator" {
		t.Error("no token of 43 characters was issued")
	}
}

func TestPendingFile(t *testing.T) {
	dir := t.TempDir()
	d := openDevices(t, dir)
	v := remote(visitor("d1", "operator.read"))
	v.Client.DisplayName, v.Client.DeviceFamily = "Ann's", "Phone"
	r := refusedFor(t, d, v)
	want := strings.ReplaceAll(`{
  "ID": {
    "requestId": "ID",
    "deviceId": "d1",
    "publicKey": "key of d1",
    "displayName": "Ann's",
    "platform": "linux",
    "deviceFamily": "Phone",
    "clientId": "cli",
    "clientMode": "cli",
    "role": "operator",
    "roles": [
      "operator"
    ],
    "scopes": [
      "operator.read"
    ],
    "remoteIp": "203.0.113.9",
    "silent": false,
    "isRepair": false,
    "ts": TIME
  }
}`, "ID", r.RequestID)
	if d := cmp.Diff(want, read(t, dir, "pending.json")); d != "" {
		t.Errorf("pending.json (-want +got):\n%s", d)
	}
	if got := read(t, dir, "paired.json"); got != "{}" {
		t.Errorf("paired.json = %s", got)
	}
	if r.Reason != "not-paired" || r.Requested == nil {
		t.Errorf("refusal = %+v", r)
	}
}

func mustRead(t *testing.T, dir string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "devices", "paired.json"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What another process wrote is taken in; what we do not know is kept.
func TestForeignWrites(t *testing.T) {
	dir := t.TempDir()
	ours, theirs := openDevices(t, dir), openDevices(t, dir)
	admitted(t, ours, visitor("d1", "operator.read"))
	admitted(t, theirs, visitor("d2", "operator.read"))
	admitted(t, ours, visitor("d3", "operator.read"))
	_, paired, err := theirs.List()
	if err != nil || len(paired) != 3 {
		t.Fatalf("%d paired, err %v; a process lost what another wrote", len(paired), err)
	}

	path := filepath.Join(dir, "devices", "paired.json")
	text := strings.Replace(string(mustRead(t, dir)), `"deviceId": "d1",`, `"deviceId": "d1", "colour": "blue",`, 1)
	text = strings.Replace(text, `"role": "operator",
        "scopes"`, `"role": "operator", "shade": 1.50,
        "scopes"`, 1)
	text = strings.Replace(text, "{", `{"no object": 7,`, 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	v := visitor("d1", "operator.read", "operator.write")
	v.Client.DisplayName = "changed"
	admitted(t, ours, v)
	after := string(mustRead(t, dir))
	for _, want := range []string{`"colour": "blue"`, `"shade": 1.50`, `"no object": 7`, `"changed"`} {
		if !strings.Contains(after, want) {
			t.Errorf("%s is gone from\n%s", want, after)
		}
	}
}

func TestDamagedFileIsKept(t *testing.T) {
	for _, damage := range []string{"{", "[]", "null", `{"a":1}}`} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "devices"), 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "devices", "paired.json")
		if err := os.WriteFile(path, []byte(damage), 0o600); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		d, err := OpenDevices(dir, nil, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		if pending, paired, err := d.List(); len(pending)+len(paired) != 0 || err != nil {
			t.Errorf("%s: lists %d, %d, err %v", damage, len(pending), len(paired), err)
		}
		if now, err := os.ReadFile(path); err != nil || string(now) != damage {
			t.Errorf("%s: reading changed the file", damage)
		}
		admitted(t, d, visitor("d1", "operator.read"))
		kept, err := filepath.Glob(path + ".corrupt.*")
		if err != nil || len(kept) != 1 {
			t.Fatalf("%s: kept aside: %v, err %v", damage, kept, err)
		}
		if text, err := os.ReadFile(kept[0]); err != nil || string(text) != damage {
			t.Errorf("%s: kept %q, err %v", damage, text, err)
		}
		if !strings.Contains(log.String(), kept[0]) {
			t.Errorf("%s: the log does not say where it was kept: %s", damage, log.String())
		}
	}
}

// A file that cannot be read must not count as empty.
func TestUnreadableFileIsAnError(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "devices", "paired.json"), 0o700); err != nil {
		t.Fatal(err) // a directory in its place cannot be read by anybody, root included
	}
	d := openDevices(t, dir)
	if _, err := d.Admit(visitor("d1")); err == nil {
		t.Error("a device was let in although nobody knows who is paired")
	}
	if _, err := d.Verify("d1", "operator", "x", nil); err == nil {
		t.Error("a token was judged although nobody knows it")
	}
}
