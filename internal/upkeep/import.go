package upkeep

import (
	"context"
	"errors"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

// Import is a session to take in.
type Import struct {
	Key    string // canonical
	Entry  sessions.Entry
	Upload string // names what was received of its transcript; empty when it has none
	Size   int64  // of the transcript
	Force  bool   // set aside what is in the way
}

// Imported is what Import did.
type Imported struct {
	Entry      sessions.Entry
	Transcript string   // where it is; empty when there is none
	Archived   []string // what was set aside for it
	LabelTaken string   // the label that another session has
	Existed    bool     // the session was there before
}

// Import takes in a session that was exported elsewhere. One that is there, or a
// transcript of the same session id, is in the way unless it is forced: then
// its conversation is set aside as by a reset. The caller keeps runs away from
// the session.
//
// The order: what is in the way is set aside and recorded, the transcript gets
// its name, the entry is put. So after a crash at any point each conversation is
// in an archive or has its name, and a forced Import may be called again.
func (k Keeper) Import(ctx context.Context, in Import) (Imported, error) {
	k.Records.restoring.Lock()
	defer k.Records.restoring.Unlock()
	st, err := k.Stores.Store(in.Key)
	if err != nil {
		return Imported{}, err
	}
	i := importing{restoration{Keeper: k, key: in.Key, id: in.Entry.SessionID(), st: st, recorded: in.Entry}, in}
	if err := i.look(); err != nil {
		return Imported{}, err
	}
	out := Imported{Existed: i.exists}
	if out.Archived, err = i.setAside(); err != nil {
		return Imported{}, err
	}
	if out.Transcript, err = i.install(); err != nil {
		i.putBack(out.Archived)
		return Imported{}, err
	}
	if out.Entry, out.LabelTaken, err = i.put(ctx); err != nil {
		if out.Transcript != "" {
			err = errors.Join(err, k.Transcripts.Discard(i.target()))
		}
		i.putBack(out.Archived)
		return Imported{}, err
	}
	return out, nil
}

// importing is one Import under way. It sets aside and puts back as a restore
// does.
type importing struct {
	restoration
	in Import
}

// target is the transcript that the session will have.
func (i *importing) target() transcript.Ref {
	ref := runs.Ref(i.st, i.key, i.in.Entry)
	ref.SessionFile = ""
	return ref
}

// look finds out what is in the way, and refuses unless it may be set aside.
func (i *importing) look() error {
	if i.in.Upload != "" && i.id == "" {
		return protocol.Invalidf("the entry has no sessionId, so it cannot have a transcript")
	}
	err := i.st.View(func(v *sessions.Snapshot) error {
		_, i.present, i.exists = v.Find(i.key)
		return nil
	})
	if err != nil {
		return err
	}
	if i.exists && !i.in.Force {
		return protocol.Invalidf("session already exists: %s", i.key)
	}
	if i.id == "" {
		return nil
	}
	path, err := i.Transcripts.Locate(i.target())
	switch {
	case errors.Is(err, transcript.ErrNotFound):
		return nil
	case err != nil:
		return err
	case i.neededByOthers(path):
		return protocol.Invalidf("another session has the session id of %s: %s", i.key, i.id)
	case !i.in.Force:
		return protocol.Invalidf("there is a transcript of the session id of %s already: %s", i.key, path)
	}
	return nil
}

// setAside archives what is in the way: the present conversation, and a
// transcript of the new one's id that no session has.
func (i *importing) setAside() ([]string, error) {
	if !i.in.Force {
		return []string{}, nil
	}
	out, err := i.restoration.setAside()
	if err != nil || i.id == "" || i.id == i.present.SessionID() {
		return out, err
	}
	paths, err := i.Transcripts.Archive(i.target(), "reset", i.neededByOthers)
	i.record(i.st, newRecord(i.key, i.in.Entry, "reset", paths))
	if err != nil {
		i.putBack(out)
		return nil, protocol.Unavailablef("failed to set a transcript aside: %v", err)
	}
	return append(out, paths...), nil
}

// install makes what was received the transcript.
func (i *importing) install() (string, error) {
	if i.in.Upload == "" {
		return "", nil
	}
	path, err := i.Transcripts.Install(i.target(), i.in.Upload, i.in.Size)
	switch {
	case err == nil:
		return path, nil
	case errors.Is(err, transcript.ErrExists):
		return "", protocol.Invalidf("there is a transcript of the session id of %s already", i.key)
	case errors.Is(err, transcript.ErrPart), errors.Is(err, transcript.ErrBadID):
		return "", protocol.Invalidf("take in the transcript of %s: %v", i.key, err)
	}
	return "", protocol.Unavailablef("failed to take in the transcript: %v", err)
}

// put stores the entry.
func (i *importing) put(ctx context.Context) (e sessions.Entry, labelTaken string, err error) {
	err = i.st.Update(ctx, func(tx *sessions.Tx) error {
		present, exists := tx.Claim(i.key)
		if exists != i.exists || present.SessionID() != i.present.SessionID() {
			return protocol.Unavailablef("Session %s has changed meanwhile; try again.", i.key)
		}
		e, labelTaken = sessions.Import(i.in.Entry, sessions.Rules{
			Config: i.Config, Keys: i.Stores.Keys(), Key: i.key,
			LabelTaken: func(label string) bool { return tx.LabelTaken(label, i.key) },
		})
		tx.Put(i.key, e)
		return nil
	})
	return e, labelTaken, err
}
