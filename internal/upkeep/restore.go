package upkeep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

// Restored is what Restore did.
type Restored struct {
	Entry      sessions.Entry
	Transcript string   // where the archive is now
	Archived   []string // what was set aside for it
	LabelTaken string   // the label that another session has by now
	Existed    bool     // the session was there before
}

// Restore makes an archive the conversation of the session with a canonical
// key again. The session that the archive was of may be there: what it holds at
// present is set aside as by a reset. Any other must not. expected is the
// session id that the session must have now, "" for any. The caller keeps runs
// away from the session.
//
// The order: the present transcript is set aside and recorded, the entry is
// changed, the archive gets its old name. So after a crash at any point each
// conversation is in an archive or is that of the session, and Restore may be
// called again. As in a reset, changing the entry first would be simpler, but
// between the two the present transcript would belong to nobody.
func (k Keeper) Restore(ctx context.Context, a Archive, key, expected string) (Restored, error) {
	k.Records.restoring.Lock()
	defer k.Records.restoring.Unlock()
	r, err := k.restoration(a, key)
	if err != nil {
		return Restored{}, err
	}
	if err := r.allowed(expected); err != nil {
		return Restored{}, err
	}
	var out Restored
	if out.Archived, err = r.setAside(); err != nil {
		return Restored{}, err
	}
	e, labelTaken, err := r.change(ctx)
	if err != nil {
		r.putBack(out.Archived)
		return Restored{}, err
	}
	k.DropStray(r.st, key, r.present)
	out.Entry, out.LabelTaken, out.Existed = e, labelTaken, r.exists
	if out.Transcript, err = r.move(runs.Ref(r.st, key, e)); err != nil {
		return Restored{}, r.failed(ctx, e, out.Archived, err)
	}
	return out, nil
}

// failed takes back what was done for a file that could not be moved, and says
// what to tell the client.
func (r *restoration) failed(ctx context.Context, made sessions.Entry, archived []string, fault error) error {
	if r.moved(made) {
		return protocol.Unavailablef("the archive was restored, but that may not outlast a power cut: %v", fault)
	}
	if err := r.undo(context.WithoutCancel(ctx), made); err != nil {
		r.Log.Error("session stays without its transcript, which can be restored again", "session", r.key, "archive", r.a.Path, "err", err)
		return protocol.Unavailablef("session %s could not be put back; restore the archive again: %v", r.key, fault)
	}
	r.putBack(archived)
	switch {
	case errors.Is(fault, transcript.ErrExists):
		return protocol.Invalidf("session %s has another transcript already", r.key)
	case errors.Is(fault, fs.ErrNotExist):
		return unknownArchive(r.a)
	}
	return protocol.Unavailablef("failed to restore the archive: %v", fault)
}

func unknownArchive(a Archive) error { return protocol.Invalidf("unknown archive: %s", a.Path) }

// restoration is one Restore under way.
type restoration struct {
	Keeper
	a        Archive
	key, id  string
	st       *sessions.Store
	recorded sessions.Entry
	present  sessions.Entry
	exists   bool
	file     string // the entry's sessionFile, "" when it needs none
}

// restoration looks at what there is to restore, and where to.
func (k Keeper) restoration(a Archive, key string) (*restoration, error) {
	if _, err := k.Transcripts.ArchiveAt(a.Dir, a.Path); errors.Is(err, transcript.ErrNotFound) {
		return nil, unknownArchive(a)
	} else if err != nil {
		return nil, err
	}
	r := &restoration{Keeper: k, a: a, key: key, id: a.SessionID}
	var known bool
	var err error
	if r.recorded, known, err = k.Recorded(a); err != nil {
		return nil, err
	}
	if id := r.recorded.SessionID(); known && id != "" {
		r.id = id
	}
	if r.id == "" {
		r.id = uuid.NewString() // by its name it is of no session
	}
	if r.st, err = k.Stores.Store(key); err != nil {
		return nil, err
	}
	if r.file, err = r.place(); err != nil {
		return nil, err
	}
	err = r.st.View(func(v *sessions.Snapshot) error {
		_, r.present, r.exists = v.Find(key)
		return nil
	})
	return r, err
}

// place is what the entry must say of its transcript: nothing when readers look
// at the archive's old place anyway.
func (r *restoration) place() (file string, err error) {
	ref := transcript.Ref{Dir: r.st.Dir(), Agent: r.st.AgentOf(r.key), SessionID: r.id}
	path := filepath.Join(filepath.Dir(r.a.Path), r.a.Transcript)
	if r.Transcripts.MayLieAt(ref, path) {
		return "", nil
	}
	if ref.SessionFile = path; r.Transcripts.MayLieAt(ref, path) {
		return path, nil
	}
	if outside(ref.Dir)(path) {
		return "", protocol.Invalidf("archive lies where session %s cannot have its transcript: %s", r.key, r.a.Path)
	}
	return "", nil // a name that no transcript may have: it gets the usual one
}

// allowed refuses a session that is another one than the archive was of, or
// than the client expects. One that has the id of the archive is what an
// earlier try left.
func (r *restoration) allowed(expected string) error {
	if r.exists && r.key != r.a.Key && r.present.SessionID() != r.id {
		return protocol.Invalidf("session already exists: %s", r.key)
	}
	return sessions.Expect(r.key, expected, r.present, "restore")
}

// setAside archives the present conversation of the session.
func (r *restoration) setAside() ([]string, error) {
	ref := runs.Ref(r.st, r.key, r.present)
	if r.present.SessionID() == "" || r.Transcripts.Restoring(ref, r.a.Path) {
		return []string{}, nil
	}
	paths, err := r.Transcripts.Archive(ref, "reset", func(path string) bool { return path == r.a.Path || r.neededByOthers(path) })
	r.record(r.st, newRecord(r.key, r.present, "reset", paths))
	if err != nil {
		r.putBack(paths)
		return nil, protocol.Unavailablef("failed to set the present transcript aside: %v", err)
	}
	if paths == nil {
		paths = []string{}
	}
	return paths, nil
}

// neededByOthers reports whether a transcript is that of another session of the
// store, too.
func (r *restoration) neededByOthers(path string) (needed bool) {
	_ = r.st.View(func(v *sessions.Snapshot) error { // fn cannot fail
		for stored, e := range v.Naming(filepath.Base(path)) {
			needed = needed || v.Canonical(stored) != r.key && r.Transcripts.Reaches(runs.Ref(r.st, stored, e), path)
		}
		return nil
	})
	return needed
}

// change stores the entry of the restored session.
func (r *restoration) change(ctx context.Context) (e sessions.Entry, labelTaken string, err error) {
	err = r.st.Update(ctx, func(tx *sessions.Tx) error {
		present, exists := tx.Claim(r.key)
		if exists != r.exists || present.SessionID() != r.present.SessionID() {
			return protocol.Unavailablef("Session %s has changed meanwhile; try again.", r.key)
		}
		r.present = present
		rules := sessions.Rules{
			Config: r.Config, Keys: r.Stores.Keys(), Key: r.key, Now: tx.Time(time.Now()),
			LabelTaken: func(label string) bool { return tx.LabelTaken(label, r.key) },
		}
		e, labelTaken = sessions.Restore(r.recorded, present, exists, r.id, r.file, rules)
		tx.Put(r.key, e)
		return nil
	})
	return e, labelTaken, err
}

// move gives the archive its old name. A file that holds nothing but a header may
// have that by now: sessions.create makes one, and may have been slower than the
// reset or the deletion of its session.
func (r *restoration) move(to transcript.Ref) (path string, err error) {
	for range 3 { // the next create may be as quick
		path, err = r.Transcripts.Restore(to, r.a.Path)
		if !errors.Is(err, transcript.ErrExists) {
			return path, err
		}
		if there, fault := r.Transcripts.Locate(to); fault == nil && r.neededByOthers(there) {
			return "", err
		}
		if fault := r.Transcripts.DiscardBlank(to); fault != nil {
			return "", fault
		}
	}
	return "", err
}

// moved reports whether a restore that failed has moved the file all the same.
func (r *restoration) moved(e sessions.Entry) bool {
	if _, err := r.Transcripts.ArchiveAt(r.a.Dir, r.a.Path); !errors.Is(err, transcript.ErrNotFound) {
		return false
	}
	_, err := r.Transcripts.Locate(runs.Ref(r.st, r.key, e))
	return err == nil
}

// undo takes the change of the entry back, unless somebody changed it since.
func (r *restoration) undo(ctx context.Context, made sessions.Entry) error {
	return r.st.Update(ctx, func(tx *sessions.Tx) error {
		now, ok := tx.Get(r.key)
		switch {
		case !ok || now.SessionID() != made.SessionID() || now.UpdatedAt() != made.UpdatedAt():
			return fmt.Errorf("session %s has changed", r.key)
		case r.exists:
			tx.Put(r.key, r.present)
		default:
			tx.Delete(r.key)
		}
		return nil
	})
}

// putBack makes what was set aside the transcript of the present session again.
func (r *restoration) putBack(archived []string) {
	for _, path := range archived {
		if _, err := r.Transcripts.Restore(runs.Ref(r.st, r.key, r.present), path); err != nil {
			r.Log.Error("the present transcript stays an archive, which can be restored", "session", r.key, "archive", path, "err", err)
		}
	}
}
