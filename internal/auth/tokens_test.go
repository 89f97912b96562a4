package auth

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

func TestRotateAndRevoke(t *testing.T) {
	d := openDevices(t, t.TempDir())
	admin := []string{"operator.admin"}
	first := admitted(t, d, visitor("d1", "operator.read", "operator.write")).Token.DeviceToken
	for name, f := range map[string]func() (IssuedToken, error){
		"unknown device":      func() (IssuedToken, error) { return d.Rotate("nope", "operator", nil, admin) },
		"outside approval":    func() (IssuedToken, error) { return d.Rotate("d1", "operator", admin, admin) },
		"caller lacks scopes": func() (IssuedToken, error) { return d.Rotate("d1", "operator", nil, []string{"operator.pairing"}) },
		"blank role":          func() (IssuedToken, error) { return d.Rotate("d1", " ", nil, admin) },
	} {
		if _, err := f(); err == nil || err.Error() != "device token rotation denied" {
			t.Errorf("%s: %v", name, err)
		}
	}
	second, err := d.Rotate(" d1", "operator", nil, admin)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"operator.read", "operator.write"}, second.Scopes); d != "" {
		t.Errorf("scopes by default (-want +got):\n%s", d)
	}
	verify := func(secret string, scopes ...string) bool {
		t.Helper()
		ok, err := d.Verify("d1", "operator", secret, scopes)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if verify(first) || !verify(second.DeviceToken, "operator.write") {
		t.Error("rotation did not replace the token")
	}
	third, err := d.Rotate("d1", "operator", []string{"operator.read"}, admin)
	if err != nil || verify(third.DeviceToken, "operator.write") || !verify(third.DeviceToken, "operator.read") {
		t.Errorf("narrower token: err %v", err)
	}
	if _, err := d.Revoke("d1", "node"); err == nil || err.Error() != "unknown deviceId/role" {
		t.Errorf("revoke a token that is not there: %v", err)
	}
	if _, err := d.Revoke("nope", "operator"); err == nil || err.Error() != "unknown deviceId/role" {
		t.Errorf("revoke of no device: %v", err)
	}
	gone, err := d.Revoke("d1 ", " operator")
	if err != nil || gone.At == 0 || gone.DeviceID != "d1" || gone.Role != "operator" {
		t.Errorf("revoke: %+v, %v", gone, err)
	}
	if verify(third.DeviceToken) {
		t.Error("a revoked token works")
	}
	if again, err := d.Revoke("d1", "operator"); err != nil || again.At < gone.At {
		t.Errorf("revoke again: %+v, %v", again, err)
	}
	if fresh := admitted(t, d, visitor("d1", "operator.read")).Token; fresh == nil || fresh.DeviceToken == third.DeviceToken {
		t.Error("the next handshake does not issue a new token")
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// The time of last use is written at most once a second, and at close.
func TestLastUseIsWrittenLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		d := openDevices(t, dir)
		dt := admitted(t, d, visitor("d1", "operator.read")).Token.DeviceToken
		use := func() {
			if ok, err := d.Verify("d1", "operator", dt, nil); !ok || err != nil {
				t.Fatalf("verify: %v, %v", ok, err)
			}
		}
		written := func() bool { return strings.Contains(string(mustRead(t, dir)), "lastUsedAtMs") }
		use()
		if written() {
			t.Error("written at once")
		}
		if _, paired, _ := d.List(); len(paired) != 1 || !strings.Contains(string(paired[0]), "lastUsedAtMs") {
			t.Error("the list does not show it at once")
		}
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		if !written() {
			t.Error("not written after a second")
		}
		before := string(mustRead(t, dir))
		time.Sleep(time.Second)
		use()
		use()
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if string(mustRead(t, dir)) == before {
			t.Error("not written at close")
		}
	})
}

func TestBootstrapToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now int64
		write := func(t *testing.T, dir string) string {
			t.Helper()
			path := filepath.Join(dir, "devices", "bootstrap.json")
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			var o rawjson.Object
			o.Put("k0", map[string]any{"token": "other", "ts": now, "profile": map[string]any{"roles": []string{"node"}, "scopes": []string{}}})
			o.Put("k1", map[string]any{"token": "invite", "ts": now, "profile": map[string]any{"roles": []string{"operator"}, "scopes": []string{"operator.write"}}})
			if err := os.WriteFile(path, o.JSON(), 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}
		for name, tc := range map[string]struct {
			secret, role string
			scopes       []string
			after        time.Duration
			want         bool
		}{
			"fits":          {"invite", "operator", []string{"operator.write"}, 0, true},
			"fits, implied": {"invite", "operator", []string{"operator.read", "operator.write"}, 0, true},
			"last moment":   {"invite", "operator", []string{"operator.write"}, 600 * time.Second, true},
			"expired":       {"invite", "operator", []string{"operator.write"}, 600*time.Second + time.Millisecond, false},
			"other secret":  {"invit", "operator", []string{"operator.write"}, 0, false},
			"other role":    {"invite", "node", []string{"operator.write"}, 0, false},
			"fewer scopes":  {"invite", "operator", []string{"operator.read"}, 0, false},
			"more scopes":   {"invite", "operator", []string{"operator.write", "operator.pairing"}, 0, false},
			"no secret":     {"", "operator", []string{"operator.write"}, 0, false},
		} {
			dir := t.TempDir()
			now = time.Now().UnixMilli()
			path := write(t, dir)
			time.Sleep(tc.after)
			d := openDevices(t, dir)
			ok, err := d.Redeem(tc.secret, tc.role, tc.scopes)
			if err != nil || ok != tc.want {
				t.Errorf("%s: %v, %v", name, ok, err)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if kept := strings.Contains(string(text), "invite"); kept == tc.want {
				t.Errorf("%s: the token is kept: %v", name, kept)
			}
			if !strings.Contains(string(text), "other") {
				t.Errorf("%s: another token is gone", name)
			}
			if ok, _ := d.Redeem(tc.secret, tc.role, tc.scopes); ok {
				t.Errorf("%s: good twice", name)
			}
		}
	})
}

// Entries of older programs, and what is left when a token was used.
func TestBootstrapTokensOfOtherHands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := strconv.FormatInt(time.Now().UnixMilli(), 10)
		const good = `"profile":{"roles":["operator"],"scopes":[]}`
		for name, tc := range map[string]struct {
			entry, secret string
			want          bool
		}{
			"roles in the entry itself":     {`{"token":"s","ts":` + now + `,"roles":["operator"],"scopes":[]}`, "s", true},
			"the profile comes first":       {`{"token":"s","ts":` + now + `,"roles":["operator"],"profile":{"roles":["node"]}}`, "s", false},
			"no roles":                      {`{"token":"s","ts":` + now + `}`, "s", false},
			"the name is the token":         {`{"ts":` + now + `,` + good + `}`, "name", true},
			"the name where there is one":   {`{"token":"s","ts":` + now + `,` + good + `}`, "name", false},
			"a blank token":                 {`{"token":" ","ts":` + now + `,` + good + `}`, "name", true},
			"issuedAtMs for want of ts":     {`{"token":"s","issuedAtMs":` + now + `,` + good + `}`, "s", true},
			"issuedAtMs for a ts that errs": {`{"token":"s","ts":"x","issuedAtMs":` + now + `,` + good + `}`, "s", true},
			"no time":                       {`{"token":"s",` + good + `}`, "s", false},
			"no object":                     {`5`, "s", false},
		} {
			dir := t.TempDir()
			writeFile(t, dir, "bootstrap.json", `{"name":`+tc.entry+`,"old":{"token":"o","ts":1,`+good+`},"new":{"token":"n","ts":`+now+`,`+good+`}}`)
			ok, err := openDevices(t, dir).Redeem(tc.secret, "operator", nil)
			if err != nil || ok != tc.want {
				t.Errorf("%s: %v, %v; want %v", name, ok, err, tc.want)
			}
			text := read(t, dir, "bootstrap.json")
			if strings.Contains(text, `"old"`) == ok || !strings.Contains(text, `"new"`) {
				t.Errorf("%s: left is %s", name, text)
			}
		}
	})
}

// No secret stands in an error or a log line.
func TestSecretsAreNotTold(t *testing.T) {
	var log bytes.Buffer
	dir := t.TempDir()
	d, err := OpenDevices(dir, nil, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	dt := admitted(t, d, visitor("d1", "operator.read")).Token.DeviceToken
	g := NewGate(tokenMode(), true, d)
	for _, c := range []*protocol.Credentials{creds("token=guess-1"), creds("deviceToken=guess-2", "bootstrapToken=guess-3"), creds("password=guess-4")} {
		a := Attempt{Place: at("127.0.0.1"), Credentials: c, Device: true}
		v, err := g.Device(a, Claim{DeviceID: "d1", Role: "operator"}, g.Shared(a))
		if err != nil {
			t.Fatal(err)
		}
		told := Refuse(v.Reason, protocol.Client{}, false)
		if text := told.Error() + string(told.Details); strings.Contains(text, "guess") || strings.Contains(text, secretText) {
			t.Errorf("the refusal tells a secret: %s", text)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "devices", "paired.json"), []byte(`{"d1":{"tokens":{"operator":{"token":"`+dt+`"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Verify("d1", "operator", dt, nil); err != nil {
		t.Fatal(err)
	}
	_, rotateErr := d.Rotate("d1", "operator", nil, nil)
	text := log.String() + errors.Join(rotateErr).Error()
	if !strings.Contains(text, "does not parse") {
		t.Errorf("the damage is not logged: %s", text)
	}
	if strings.Contains(text, dt) || strings.Contains(text, "guess") {
		t.Errorf("a secret was told: %s", text)
	}
}
