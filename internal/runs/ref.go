package runs

import (
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
