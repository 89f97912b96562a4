package gateway_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyd/parley/internal/gatewaytest"
)

// TestDoctorBesideARun: an examination of a gateway in use takes a session that
// runs for what it is, and clients hear of one that did not.
func TestDoctorBesideARun(t *testing.T) {
	upkept(t, `{}`, map[string]time.Duration{"main": time.Hour, "busy": time.Hour}, func(t *testing.T, l *gatewaytest.Listener, dir string) {
		a := gatewaytest.Connect(t, l, "")
		a.Call("sessions.subscribe", "")
		a.Call("chat.send", `{"sessionKey":"busy","message":"[[drip 10000 60000]]","idempotencyKey":"r"}`)
		<-time.After(2 * time.Second) // the store is written
		path := filepath.Join(dir, "sessions.json")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		ghost := `{"agent:main:ghost":{"status":"running","updatedAt":1},` + strings.TrimPrefix(string(text), "{")
		if err := os.WriteFile(path, []byte(ghost), 0o600); err != nil {
			t.Fatal(err)
		}
		skip := len(a.Frames())
		for _, params := range []string{`{}`, `{"fix":true}`} {
			got := a.Call("doctor", params)
			if !strings.Contains(string(got), `"sessions":["agent:main:ghost"]`) || strings.Contains(string(got), "agent:main:busy") {
				t.Errorf("doctor %s: %s", params, got)
			}
		}
		synctest.Wait()
		if got := heard(t, a, skip); !slices.Equal(got, []string{"res", "res", "patch ghost"}) {
			t.Errorf("heard %v", got)
		}
		if got := string(a.Call("doctor", "")); strings.Contains(got, "entry-running") || !strings.Contains(got, `"ok":true`) {
			t.Errorf("afterwards: %s", got)
		}
		writer := gatewaytest.Connect(t, l, `{"scopes":["operator.write"]}`)
		if got := string(writer.Refused("doctor", `{}`)); !strings.Contains(got, "missing scope: operator.admin") {
			t.Errorf("without the scope: %s", got)
		}
	})
}
