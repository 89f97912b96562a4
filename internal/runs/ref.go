package runs

import (
	"path/filepath"

	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

// Ref names the transcript of the entry e that store st has by a key, stored or
// canonical.
func Ref(st *sessions.Store, key string, e sessions.Entry) transcript.Ref {
	id, file := e.Transcript()
	return transcript.Ref{Dir: st.Dir(), Agent: st.AgentOf(key), SessionID: id, SessionFile: file}
}

// InUse reports whether the file at path is the transcript of an entry of the
// store, or will be when that has none before it.
func InUse(lib *transcript.Library, st *sessions.Store, path string) (used bool) {
	_ = st.View(func(v *sessions.Snapshot) error { // fn cannot fail
		for key, e := range v.Naming(filepath.Base(path)) {
			used = used || lib.Reaches(Ref(st, key, e), path)
		}
		return nil
	})
	return used
}
