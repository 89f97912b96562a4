package sessions

import (
	"context"
	"errors"
	"time"

	"github.com/parleyd/parley/internal/rawjson"
)

// leftoverAge is how old a temporary file must be to be nobody's any more.
const leftoverAge = 10 * time.Minute

// CloseRunning marks the sessions whose run a crash cut off: status "killed",
// abortedLastRun, endedAt. To be called once when a daemon starts, before runs
// do. ended says when a run's last text was saved; where it does not know
// (or is nil) the entry's updatedAt counts.
func (s *Stores) CloseRunning(ctx context.Context, ended func(key string, e Entry) (ms int64, ok bool)) error {
	var faults []error
	for _, st := range s.known() {
		running := func(v *Snapshot) (keys []string) {
			for key, e := range v.All() {
				if e.mayHold("running") && e.Text("status") == "running" {
					keys = append(keys, key)
				}
			}
			return keys
		}
		if len(running(st.snapshot())) == 0 {
			continue
		}
		faults = append(faults, st.Update(ctx, func(tx *Tx) error {
			for _, key := range running(tx.Snapshot) {
				e, _ := tx.Get(key)
				at := e.UpdatedAt()
				if ended != nil {
					if ms, ok := ended(stored(key, st.agent), e); ok {
						at = ms
					}
				}
				tx.Put(key, killed(e, at))
			}
			return nil
		}))
	}
	return errors.Join(faults...)
}

func killed(e Entry, at int64) Entry {
	return e.With(func(o *rawjson.Object) {
		o.Put("abortedLastRun", true)
		o.Put("status", "killed")
		o.Put("endedAt", at)
		if start, ok := e.Number("startedAt"); ok {
			o.Put("runtimeMs", max(0, at-int64(start)))
		}
	})
}
