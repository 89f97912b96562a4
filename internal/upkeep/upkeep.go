// Package upkeep keeps the files of sessions in order: it sets aside the
// transcripts of sessions that are gone, remembers of which sessions they were,
// lists them and brings them back, and does the cleanup that a person asks for.
// It is where sessions and transcripts meet for that, in the daemon and in the
// command line when no daemon runs.
//
// It decides nothing about limits: package sessions does. Nor does it tell
// anybody: what was removed is handed back.
package upkeep

import (
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

// Keeper has what it takes. All fields are needed; its methods may be called
// concurrently.
type Keeper struct {
	Config      *config.Config
	Stores      *sessions.Stores
	Transcripts *transcript.Library
	Records     *Records
	Log         *slog.Logger
}

// Archive sets the transcripts of an entry aside that is no longer in the
// store, those that another entry uses excepted, and records of which session
// they were. It gives the new paths; a failure is logged, for the entry is gone
// already.
func (k Keeper) Archive(st *sessions.Store, key string, e sessions.Entry, reason string) []string {
	paths, settle := k.setAside(func(path string) bool { return runs.InUse(k.Transcripts, st, path) }, st, key, e, reason)
	var work sync.WaitGroup
	work.Go(settle) // a record of an archive that a crash undid is a record of one that is gone
	k.record(st, newRecord(key, e, reason, paths))
	work.Wait()
	return paths
}

// DropStray removes the transcript of a session of which made is not the entry
// any more, if nothing was said in it and no other entry uses it. Whoever makes a
// transcript may come after the one who looked for it to set it aside; then it
// belongs to nobody, and is in the way of a restore.
func (k Keeper) DropStray(st *sessions.Store, key string, made sessions.Entry) {
	stays := made.SessionID() == ""
	_ = st.View(func(v *sessions.Snapshot) error { // fn cannot fail
		now, _ := v.Get(key)
		stays = stays || now.SessionID() == made.SessionID()
		return nil
	})
	if stays {
		return
	}
	ref := runs.Ref(st, key, made)
	path, err := k.Transcripts.Locate(ref)
	if err != nil || runs.InUse(k.Transcripts, st, path) {
		return
	}
	if err := k.Transcripts.DiscardBlank(ref); err != nil {
		k.Log.Warn("transcript of a session that is gone stays", "session", key, "err", err)
	}
}

// ArchiveRemoved does so for what maintenance took out of a store, as far as
// the transcripts lie in the directory of the store.
func (k Keeper) ArchiveRemoved(st *sessions.Store, gone []sessions.Removed) {
	far := outside(st.Dir())
	kept := func(path string) bool { return far(path) || runs.InUse(k.Transcripts, st, path) }
	var list []Record
	for _, r := range gone {
		if r.Action != sessions.EvictBudget { // then the transcript went with it
			list = append(list, newRecord(r.Key, r.Entry, "deleted", k.archiveUnless(kept, st, r.Key, r.Entry, "deleted")))
		}
	}
	k.record(st, list...)
}

// Swept is told that archives are gone: their records may go too.
func (k Keeper) Swept(st *sessions.Store) {
	if err := k.Records.Tidy(st); err != nil {
		k.Log.Warn("records of archives that are gone stay", "err", err)
	}
}

func newRecord(key string, e sessions.Entry, reason string, paths []string) Record {
	return Record{Key: key, At: time.Now().UnixMilli(), Reason: reason, Archives: paths, Entry: e}
}

// record writes down what was archived. When that fails the archives are still
// there, but whoever wants one back must know which session it was of.
func (k Keeper) record(st *sessions.Store, list ...Record) {
	list = slices.DeleteFunc(list, func(r Record) bool { return len(r.Archives) == 0 })
	if len(list) == 0 {
		return
	}
	if err := k.Records.Add(st, list...); err != nil {
		k.Log.Warn("nothing says any more which session archives were of", "first", list[0].Archives[0], "count", len(list), "err", err)
	}
}

// outside reports of a path whether it lies elsewhere than in dir.
func outside(dir string) func(path string) bool {
	return func(path string) bool {
		rel, err := filepath.Rel(dir, path)
		return err != nil || !filepath.IsLocal(rel)
	}
}

// archiveUnless sets the transcripts of an entry aside, but for the files for
// which kept is true.
func (k Keeper) archiveUnless(kept func(path string) bool, st *sessions.Store, key string, e sessions.Entry, reason string) []string {
	paths, settle := k.setAside(kept, st, key, e, reason)
	settle()
	return paths
}

// setAside is archiveUnless but for the last part: the new names last once settle
// has returned, or logged why they may not.
func (k Keeper) setAside(kept func(path string) bool, st *sessions.Store, key string, e sessions.Entry, reason string) (paths []string, settle func()) {
	if e.SessionID() == "" {
		return []string{}, func() {}
	}
	paths, sync, err := k.Transcripts.SetAside(runs.Ref(st, key, e), reason, kept)
	warn := func(err error) {
		if err != nil {
			k.Log.Warn("transcript not archived", "session", key, "reason", reason, "err", err)
		}
	}
	warn(err)
	if paths == nil {
		paths = []string{}
	}
	return paths, func() { warn(sync()) }
}
