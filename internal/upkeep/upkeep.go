// Package upkeep keeps the files of sessions in order: it sets aside the
// transcripts of sessions that are gone, and does the cleanup that a person
// asks for. It is where sessions and transcripts meet for that, in the daemon
// and in the command line when no daemon runs.
//
// It decides nothing about limits: package sessions does. Nor does it tell
// anybody: what was removed is handed back.
package upkeep

import (
	"log/slog"
	"path/filepath"

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
	Log         *slog.Logger
}

// Archive sets the transcripts of an entry aside that is no longer in the
// store, those that another entry uses excepted. It gives the new paths; a
// failure is logged, for the entry is gone already.
func (k Keeper) Archive(st *sessions.Store, key string, e sessions.Entry, reason string) []string {
	return k.archiveUnless(func(string) bool { return false }, st, key, e, reason)
}

// ArchiveRemoved does so for what maintenance took out of a store, as far as
// the transcripts lie in the directory of the store.
func (k Keeper) ArchiveRemoved(st *sessions.Store, gone []sessions.Removed) {
	for _, r := range gone {
		if r.Action != sessions.EvictBudget { // then the transcript went with it
			k.archiveUnless(outside(st.Dir()), st, r.Key, r.Entry, "deleted")
		}
	}
}

// outside reports of a path whether it lies elsewhere than in dir.
func outside(dir string) func(path string) bool {
	return func(path string) bool {
		rel, err := filepath.Rel(dir, path)
		return err != nil || !filepath.IsLocal(rel)
	}
}

// archiveUnless is Archive that leaves the files alone for which kept is true.
func (k Keeper) archiveUnless(kept func(path string) bool, st *sessions.Store, key string, e sessions.Entry, reason string) []string {
	if e.SessionID() == "" {
		return []string{}
	}
	paths, err := k.Transcripts.Archive(runs.Ref(st, key, e), reason, func(path string) bool {
		return kept(path) || runs.InUse(k.Transcripts, st, path)
	})
	if err != nil {
		k.Log.Warn("transcript not archived", "session", key, "reason", reason, "err", err)
	}
	if paths == nil {
		paths = []string{}
	}
	return paths
}
