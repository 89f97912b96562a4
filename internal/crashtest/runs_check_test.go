package crashtest_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/parleyd/parley/client"
	"github.com/parleyd/parley/internal/rawjson"
)

// told is a message of a transcript.
type told struct {
	role, text, stop, abortedRun, origin string
}

// talk is what sessions.get tells of a session.
func (k *runKiller) talk(c *client.Conn, key string) (out []told) {
	var got struct {
		Messages []rawjson.Value `json:"messages"`
	}
	mustCall(k.t, c, "sessions.get", params{"key": key, "limit": 1_000_000}, &got)
	for _, raw := range got.Messages {
		o, err := rawjson.Parse(raw)
		if err != nil {
			k.t.Fatal(err)
		}
		m := told{role: o.Text("role"), stop: o.Text("stopReason")}
		blocks, _ := rawjson.Array(o.Get("content"))
		for _, b := range blocks {
			if block, err := rawjson.Parse(b); err == nil {
				m.text += block.Text("text")
			}
		}
		if note, err := rawjson.Parse(o.Get("openclawAbort")); err == nil {
			m.abortedRun, m.origin = note.Text("runId"), note.Text("origin")
		}
		out = append(out, m)
	}
	return out
}

// checkTalk looks at the sessions of one client.
func (k *runKiller) checkTalk(c *client.Conn, a *talker) {
	all := mustRows(k.t, c, a.name+"-")
	for i := range 2 {
		key := fmt.Sprintf("%s-%d", a.name, i)
		talk := k.talk(c, key)
		faults := k.checkSession(a, key, talk)
		if status := all[key].Status; status == "running" {
			faults = append(faults, "the session is running although all its runs have ended")
		}
		if len(faults) > 0 {
			k.t.Errorf("session %s (%s):\n  %s\n%s", key, all[key].Status, strings.Join(faults, "\n  "), show(talk, a, key))
		}
	}
}

func show(talk []told, a *talker, key string) string {
	var b strings.Builder
	for _, m := range talk {
		fmt.Fprintf(&b, "    is there: %+v\n", m)
	}
	for _, m := range a.sent {
		if m.key == key {
			fmt.Fprintf(&b, "    was sent: %+v heard %+v\n", *m, a.heard[m.run])
		}
	}
	return b.String()
}

// checkSession compares a transcript with what was sent to it.
func (k *runKiller) checkSession(a *talker, key string, talk []told) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	last, unasked := -1, 0
	for _, m := range a.sent {
		if m.key != key {
			continue
		}
		is := func(t told) bool { return t.role == "user" && t.text == m.text }
		at := slices.IndexFunc(talk, is)
		asked := k.model.requests(m.text)
		h := a.heard[m.run]
		k.accepted++
		k.asked += min(asked, 1)
		if asked > 1 {
			fault("%s: the model was asked %d times", m.run, asked)
		}
		if at < 0 {
			if !m.aborted {
				fault("%s: the message is lost", m.run)
			}
			if asked > 0 {
				fault("%s: the model was asked about a message that is not in the transcript", m.run)
			}
			continue
		}
		if slices.ContainsFunc(talk[at+1:], is) {
			fault("%s: the message is there twice", m.run)
		}
		if at < last {
			fault("%s: the message stands before one that was sent earlier", m.run)
		}
		last = at
		if asked == 0 && !m.aborted {
			unasked++
		}
		for _, f := range k.checkAnswer(m, h, talk[at+1:]) {
			fault("%s: %s", m.run, f)
		}
	}
	// The run that a kill cut off may not have come to its request.
	if k.resume && unasked > k.starts {
		fault("the model was not asked for %d messages, though at most %d runs can have been cut off", unasked, k.starts)
	}
	for _, t := range talk {
		known := slices.ContainsFunc(a.sent, func(m *sending) bool { return m.key == key && m.text == t.text })
		if t.role == "user" && !known {
			fault("%.40q is there, which nobody sent", t.text)
		}
	}
	return faults
}

// checkAnswer looks at what stands behind a message.
func (k *runKiller) checkAnswer(m *sending, h *hearing, rest []told) (faults []string) {
	next := slices.IndexFunc(rest, func(t told) bool { return t.role == "user" })
	if next < 0 {
		next = len(rest)
	}
	whole := slowModelWords(m)
	switch answers := rest[:next]; {
	case len(answers) > 1:
		return []string{fmt.Sprintf("it has %d answers", len(answers))}
	case len(answers) == 0:
		if h != nil && h.end == "final" {
			faults = append(faults, "its final was told and its answer is lost")
		}
		if h != nil && h.pieces > 1 {
			faults = append(faults, fmt.Sprintf("%d pieces of its answer were told and none was kept", h.pieces))
		}
		return faults
	default:
		return append(faults, k.checkText(m, h, answers[0], whole)...)
	}
}

func (k *runKiller) checkText(m *sending, h *hearing, t told, whole string) (faults []string) {
	if t.abortedRun == "" {
		switch {
		case t.stop == "aborted" && t.text == "": // ended before the first word
		case t.text != whole:
			faults = append(faults, fmt.Sprintf("its answer is %q (%s), want %q", t.text, t.stop, whole))
		default:
			k.whole++
		}
		return faults
	}
	k.partials++
	if t.abortedRun != m.run {
		faults = append(faults, "its partial answer is marked as that of "+t.abortedRun)
	}
	if !strings.HasPrefix(whole, t.text) {
		faults = append(faults, fmt.Sprintf("its partial answer %q is not how %q begins", t.text, whole))
	}
	want := []string{"restart", "shutdown"}
	if m.aborted {
		want = append(want, "rpc")
	}
	if !slices.Contains(want, t.origin) {
		faults = append(faults, "its partial answer was ended by "+t.origin)
	}
	if h != nil && h.end == "final" {
		faults = append(faults, "its final was told and only a part of its answer is there")
	}
	return faults
}

// repeat sends every message of a client once more: it is known, and nothing
// happens again.
func (k *runKiller) repeat(c *client.Conn, a *talker) {
	for _, m := range a.sent {
		was := k.model.requests(m.text)
		var got status
		mustCall(k.t, c, "chat.send", params{"sessionKey": m.key, "message": m.text, "idempotencyKey": m.run}, &got)
		if got.Status != "ok" {
			k.t.Errorf("%s once more was answered %q", m.run, got.Status)
		}
		if k.model.requests(m.text) != was {
			k.t.Errorf("%s once more: the model was asked again", m.run)
		}
	}
}
