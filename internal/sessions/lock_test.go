package sessions

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// A lock without an owner can be taken by nobody for half a minute, so there
// must be no moment in which a crash could leave one.
func TestLockNamesItsOwnerFromTheFirstMoment(t *testing.T) {
	l := fileLock{filepath.Join(t.TempDir(), "sessions.json.lock")}
	var seen int
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if data, err := os.ReadFile(l.path); err == nil {
				seen++
				if o, _, ok := l.read(); len(data) == 0 || ok && o.PID != int64(os.Getpid()) {
					t.Errorf("lock file holds %q", data)
					return
				}
			}
		}
	})
	for range 300 {
		release, err := l.acquire(t.Context(), time.Now().Add(time.Second))
		if err != nil {
			t.Error(err)
			break
		}
		if err := l.create(); !os.IsExist(err) {
			t.Errorf("a second owner got the lock (%v)", err)
		}
		if err := release(); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
	if seen == 0 {
		t.Error("the lock file was never seen")
	}
	if left, _ := os.ReadDir(filepath.Dir(l.path)); len(left) != 0 {
		t.Errorf("%d files are left behind, such as %s", len(left), left[0].Name())
	}
}
