package gateway

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestHealthIsToldAtOnceButNotWithoutEnd(t *testing.T) {
	o := optionsFor(t, t.TempDir(), nil)
	synctest.Test(t, func(t *testing.T) {
		g, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := g.Close(); err != nil {
				t.Error(err)
			}
		}()
		burst := func(want int) {
			t.Helper()
			told := 0
			for range healthBurst + 5 {
				if g.health.refresh() {
					told++
				}
			}
			if told != want {
				t.Errorf("told %d times, want %d", told, want)
			}
		}
		burst(healthBurst)
		time.Sleep(healthPause)
		burst(1)
		time.Sleep(time.Minute)
		burst(healthBurst)
	})
}
