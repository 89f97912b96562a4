package runs

import (
	"path/filepath"

	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

// Ref names the transcript of the entry e of store st.
func Ref(st *sessions.Store, e sessions.Entry) transcript.Ref {
	return transcript.Ref{
		Dir:         st.Dir(),
		Agent:       st.Agent(),
		SessionID:   e.SessionID(),
		SessionFile: e.Text("sessionFile"),
	}
}

// InUse reports whether the file at path is the transcript of an entry of the
// store, or will be when that has none before it.
func InUse(lib *transcript.Library, st *sessions.Store, path string) (used bool) {
	_ = st.View(func(v *sessions.Snapshot) error { // fn cannot fail
		for e := range v.Naming(filepath.Base(path)) {
			used = used || lib.Reaches(Ref(st, e), path)
		}
		return nil
	})
	return used
}
