package gateway_test

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/parleyd/parley/internal/gatewaytest"
)

// A session that is deleted while it is made leaves no transcript behind: that
// would keep its archive from being restored.
func TestCreateBesideDelete(t *testing.T) {
	archived(t, "", map[string]string{"sessions.json": `{}`}, func(t *testing.T, l *gatewaytest.Listener, dir string) {
		var wg sync.WaitGroup
		for i := range 8 {
			c := gatewaytest.Connect(t, l, "")
			wg.Go(func() {
				for range 40 {
					if i%2 == 0 {
						c.Call("sessions.create", `{"key":"k"}`)
					} else {
						c.Call("sessions.delete", `{"key":"k"}`)
					}
				}
			})
		}
		wg.Wait()
		a := gatewaytest.Connect(t, l, "")
		a.Call("sessions.delete", `{"key":"k"}`)
		names, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
		if err != nil || len(names) > 0 {
			t.Errorf("without a session: %s, %v", strings.Join(names, " "), err)
		}
	})
}
