package upkeep

import (
	"cmp"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

// Archive is the transcript of a session that was reset or is gone.
type Archive struct {
	transcript.Archived
	Agent string
	Key   string // canonical; empty when it is not recorded

	store *sessions.Store // that has the record
}

// Archives lists the archives of resets and deletions in all sessions
// directories, the newest first. It costs what the directories hold, and reads
// no transcript.
func (k Keeper) Archives() ([]Archive, error) {
	agents := k.directories()
	dirs := make([]string, 0, len(agents))
	for dir := range agents {
		dirs = append(dirs, dir)
	}
	found, err := k.Transcripts.Archives(dirs...)
	if err != nil {
		return nil, err
	}
	known, err := k.recorded()
	if err != nil {
		return nil, err
	}
	out := make([]Archive, 0, len(found))
	for _, a := range slices.Concat(found, k.deeper(agents, known)) {
		if a.Reason != "bak" {
			out = append(out, k.archive(a, agents[a.Dir], known[a.Path]))
		}
	}
	slices.SortFunc(out, func(a, b Archive) int {
		return cmp.Or(b.At.Compare(a.At), strings.Compare(a.Path, b.Path))
	})
	return out, nil
}

// FindArchive is the archive that a client names by its path, or by its name if
// only one has that.
func (k Keeper) FindArchive(text string) (Archive, error) {
	unknown := protocol.Invalidf("unknown archive: %s", text)
	if filepath.IsAbs(text) {
		return k.archiveAt(filepath.Clean(text), unknown)
	}
	if text != filepath.Base(text) {
		return Archive{}, protocol.Invalidf("archive must be an absolute path or a name without directories: %s", text)
	}
	list, err := k.Archives()
	if err != nil {
		return Archive{}, err
	}
	list = slices.DeleteFunc(list, func(a Archive) bool { return filepath.Base(a.Path) != text })
	switch len(list) {
	case 0:
		return Archive{}, unknown
	case 1:
		return list[0], nil
	}
	return Archive{}, protocol.Invalidf("%d archives have the name %s; give the path of one", len(list), text)
}

func (k Keeper) archiveAt(path string, unknown error) (Archive, error) {
	agents := k.directories()
	dir, ok := around(agents, path)
	if !ok {
		return Archive{}, protocol.Invalidf("archive is in no sessions directory: %s", path)
	}
	if _, reason, _, ok := transcript.ArchiveName(filepath.Base(path)); !ok || reason == "bak" {
		return Archive{}, protocol.Invalidf("not an archive of a reset or a deletion: %s", path)
	}
	a, err := k.Transcripts.ArchiveAt(dir, path)
	if errors.Is(err, transcript.ErrNotFound) {
		return Archive{}, unknown
	}
	if err != nil {
		return Archive{}, err
	}
	known, err := k.recorded()
	if err != nil {
		return Archive{}, err
	}
	return k.archive(a, agents[dir], known[path]), nil
}

// Recorded is the entry that the session of an archive had; ok is false when
// that is not recorded.
func (k Keeper) Recorded(a Archive) (e sessions.Entry, ok bool, err error) {
	if a.store == nil {
		return sessions.Entry{}, false, nil
	}
	rec, ok, err := k.Records.Find(a.store, a.Path)
	return rec.Entry, ok, err
}

// owner is of which session an archive is, and which store says so.
type owner struct {
	key   string
	store *sessions.Store
}

// recorded are the owners of the archives of all stores, by path.
func (k Keeper) recorded() (map[string]owner, error) {
	out := map[string]owner{}
	for _, st := range k.Stores.All() {
		keys, err := k.Records.Keys(st)
		if err != nil {
			return nil, err
		}
		for path, key := range keys {
			out[path] = owner{key, st}
		}
	}
	return out, nil
}

func (k Keeper) archive(a transcript.Archived, agent string, o owner) Archive {
	out := Archive{Archived: a, Agent: agent, store: o.store}
	if o.store != nil {
		out.Key = k.Stores.Keys().Canonical(o.key)
		out.Agent = k.Stores.Keys().Agent(out.Key)
	}
	return out
}

// directories are all sessions directories and the agents that they are of.
func (k Keeper) directories() map[string]string {
	out := map[string]string{}
	for _, dir := range k.Transcripts.SessionsDirs() {
		out[dir] = k.Config.DefaultAgent()
		if agent := filepath.Dir(dir); filepath.Base(filepath.Dir(agent)) == "agents" {
			out[dir] = sessions.NormalizeAgentID(filepath.Base(agent))
		}
	}
	for _, st := range k.Stores.All() {
		out[filepath.Clean(st.Dir())] = st.Agent()
	}
	return out
}

// deeper are the archives that lie below sessions directories, not right in
// them: only their records tell of them.
func (k Keeper) deeper(agents map[string]string, known map[string]owner) (out []transcript.Archived) {
	for path := range known {
		if _, right := agents[filepath.Dir(path)]; right {
			continue
		}
		if dir, ok := around(agents, path); ok {
			if a, err := k.Transcripts.ArchiveAt(dir, path); err == nil {
				out = append(out, a)
			}
		}
	}
	return out
}

// around is the innermost of directories in which a clean path lies.
func around(dirs map[string]string, path string) (string, bool) {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if _, ok := dirs[dir]; ok {
			return dir, true
		}
		if dir == filepath.Dir(dir) {
			return "", false
		}
	}
}
