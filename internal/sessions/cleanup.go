package sessions

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"
)

// CleanupOptions say what Cleanup does.
type CleanupOptions struct {
	// DryRun changes nothing and tells what mode enforce would do.
	DryRun bool
	// Enforce applies the limits whatever mode is configured.
	Enforce bool
	// Active is the canonical key of a session that stays, or "".
	Active string
	// Absent reports whether the transcript of an entry, which has a sessionId,
	// is not there: such entries go, in any mode. nil removes none for that.
	Absent func(key string, e Entry) bool
}

// Report is what Cleanup did or, in a dry run, would do.
type Report struct {
	// Enforced is whether the limits were applied; the dry run always does.
	Enforced bool
	// Before and After count the entries; without DryRun those without a
	// transcript are gone Before.
	Before, After           int
	Missing, Pruned, Capped int
	Budget                  *DiskBudget // nil without a budget
	// Removed is what went. Their transcripts are the caller's to archive, but
	// for EvictBudget.
	Removed []Removed
	// Planned are all entries, newest first. Only a dry run has them.
	Planned []Planned
}

// Planned is an entry and what would be done with it.
type Planned struct {
	Key    string // canonical
	Entry  Entry
	Action Action
}

// Changed reports whether anything was removed.
func (r Report) Changed() bool {
	return len(r.Removed) > 0 || r.Budget != nil && r.Budget.RemovedFiles > 0
}

// Cleanup applies the maintenance rules to the store now, not only to what a
// change leaves. What it did for the entries is durable when it returns; with
// an error the report says how far it came.
func (s *Store) Cleanup(ctx context.Context, o CleanupOptions) (Report, error) {
	s.sweeper.dir.Lock()
	defer s.sweeper.dir.Unlock()
	if !o.DryRun {
		if err := s.hold(); err != nil {
			return Report{}, err
		}
	}
	base, err := s.commits.follow()
	if err != nil {
		return Report{}, s.unavailable("read", err)
	}
	root, files, err := s.files()
	if err != nil {
		return Report{}, s.unavailable("clean up", err)
	}
	if root != nil {
		defer root.Close()
	}
	c := &cleanup{
		Store: s, o: o, now: time.Now(), base: base, files: files, do: s.really(ctx, root),
		stays: s.exempt(func(canon string) bool { return canon == o.Active }),
	}
	if o.DryRun {
		c.do = onlyStaged(newTx(base.clone()))
	}
	c.r.Enforced = o.DryRun || o.Enforce || s.rules().Enforce
	err = c.run()
	return c.r, err
}

// hold makes sure that the store is ours and that all its entries are known:
// else a transcript could be taken for nobody's.
func (s *Store) hold() error {
	if _, err := os.Stat(s.Dir()); missing(err) {
		return nil // there is nothing to be removed
	}
	if err := s.own(); err != nil {
		return err
	}
	s.commits.turn.Lock()
	defer s.commits.turn.Unlock()
	return s.commits.refused
}

// cleanup is one Cleanup under way.
type cleanup struct {
	*Store
	o     CleanupOptions
	now   time.Time
	base  *Snapshot
	files []dirFile
	stays func(*record) bool
	do    effects
	r     Report
}

func (c *cleanup) run() error {
	c.r.Before = c.base.Len()
	if err := c.entries(); err != nil {
		return err
	}
	err := c.directory()
	if v, viewErr := c.do.view(); viewErr != nil {
		err = errors.Join(err, viewErr)
	} else {
		c.r.After = v.Len()
	}
	if c.o.DryRun {
		c.r.Planned = c.planned()
	} else {
		c.logRemoved(c.r.Removed)
	}
	return err
}

// entries removes entries without a transcript and those beyond the limits.
func (c *cleanup) entries() error {
	absent := c.absent()
	if len(absent) == 0 && !c.r.Enforced {
		return nil
	}
	err := c.do.update(func(tx *Tx) error {
		c.r.Removed = c.dropAbsent(tx, absent)
		if !c.o.DryRun {
			c.r.Before = tx.Len()
		}
		if c.r.Enforced {
			c.r.Removed = append(c.r.Removed, c.trim(tx, c.now, c.stays, func(r *record) { tx.Delete(r.key) })...)
		}
		c.touchActive(tx)
		return nil
	})
	if err != nil {
		c.r.Removed = nil
		return err
	}
	for _, gone := range c.r.Removed {
		switch gone.Action {
		case PruneMissing:
			c.r.Missing++
		case PruneStale:
			c.r.Pruned++
		case CapOverflow:
			c.r.Capped++
		}
	}
	return nil
}

// absent are the entries whose transcript is not there. They are looked for
// before the change, so that others need not wait for so many looks at the
// disk.
func (c *cleanup) absent() []*record {
	if c.o.Absent == nil {
		return nil
	}
	var out []*record
	c.base.order.Scan(func(r *record) bool {
		if r.object && r.session != "" && !c.stays(r) && c.o.Absent(r.key, r.entry) {
			out = append(out, r)
		}
		return true
	})
	return out
}

// dropAbsent removes those of absent that are still as they were, and whose
// transcript has not come meanwhile.
func (c *cleanup) dropAbsent(tx *Tx, absent []*record) []Removed {
	var out []Removed
	for _, r := range absent {
		now := tx.record(r.key)
		if now != nil && string(now.text()) == string(r.text()) && !c.stays(now) && c.o.Absent(now.key, now.entry) {
			tx.Delete(r.key)
			out = append(out, removedFrom(now, PruneMissing))
		}
	}
	return out
}

// touchActive makes the active session one that the change is about, so that
// the limits of the commit, too, leave it alone.
func (c *cleanup) touchActive(tx *Tx) {
	if c.o.Active == "" {
		return
	}
	for _, r := range slices.Collect(tx.spellings(c.o.Active)) {
		tx.Put(r.key, r.entry)
	}
}

// directory removes old archives and keeps the disk budget.
func (c *cleanup) directory() error {
	var faults []error
	before := len(c.files)
	if c.r.Enforced {
		left, err := c.dropExpired(c.do, c.files, c.now, len(c.r.Removed) > 0)
		c.files = left
		faults = append(faults, err)
	}
	budget, gone, err := c.keepBudget(c.do, c.files, c.now, c.r.Enforced, c.stays)
	c.r.Budget = budget
	c.r.Removed = append(c.r.Removed, gone...)
	if !c.o.DryRun {
		if c.r.Enforced {
			c.logBudget(budget)
		}
		c.tellSwept(before-len(c.files), budget)
	}
	return errors.Join(append(faults, err)...)
}

// planned are all entries with what would be done with them.
func (c *cleanup) planned() []Planned {
	actions := map[string]Action{}
	for _, gone := range c.r.Removed {
		actions[gone.stored] = gone.Action
	}
	out := make([]Planned, 0, c.base.Len())
	c.base.recent.Scan(func(r *record) bool {
		action, ok := actions[r.key]
		if !ok {
			action = Keep
		}
		out = append(out, Planned{Key: r.canon, Entry: r.entry, Action: action})
		return true
	})
	return out
}
