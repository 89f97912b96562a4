package sessionstest

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// model is what the sessions are, told as simply as the rules allow: files of
// entries in order, searched from one end to the other.
type model struct {
	conf  conf
	files map[string]*file // by agent; a fixed file stands under the default agent
	now   float64          // ms
}

// file is one session store.
type file struct {
	agent       string
	entries     []stored
	transcripts map[string]bool // by session id
}

// stored is one entry of a file under the key that stands there.
type stored struct {
	key string
	entry
}

// entry is a decoded object.
type entry map[string]any

func (e entry) text(name string) string {
	s, _ := e[name].(string)
	return s
}

func (e entry) number(name string) float64 {
	n, _ := e[name].(float64)
	return n
}

// normalize brings the delivery fields in order, as each reading of an entry
// does. Here only lastChannel and lastTo are ever stored by another program.
func (e entry) normalize() {
	context := map[string]any{}
	if was, ok := e["deliveryContext"].(map[string]any); ok {
		maps.Copy(context, was)
	}
	for from, to := range map[string]string{"lastChannel": "channel", "lastTo": "to"} {
		if v := e.text(from); v != "" {
			context[to] = v
		}
	}
	if len(context) > 0 {
		e["deliveryContext"] = context
	}
}

func newModel(c conf) *model { return &model{conf: c, files: map[string]*file{}} }

// trim is JavaScript's: without U+0085, with U+FEFF.
func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r == '\ufeff' || r != '\u0085' && unicode.IsSpace(r) })
}

func lower(s string) string { return strings.ToLower(s) }

// parse splits an agent key; empty parts count as none.
func parse(key string) (agent, rest string, ok bool) {
	parts := slices.DeleteFunc(strings.Split(lower(trim(key)), ":"), func(s string) bool { return s == "" })
	if len(parts) < 3 || parts[0] != "agent" {
		return "", "", false
	}
	return parts[1], strings.Join(parts[2:], ":"), true
}

func validAgent(id string) bool {
	for i, r := range id {
		word := r >= 'a' && r <= 'z' || r >= '0' && r <= '9'
		if !word && (i == 0 || r != '-' && r != '_') {
			return false
		}
	}
	return id != "" && len(id) <= 64
}

// normalAgent makes an agent id of any text.
func normalAgent(text string) string {
	text = lower(trim(text))
	if text == "" || validAgent(text) {
		return cmp.Or(text, "main")
	}
	var out strings.Builder
	for _, r := range text {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '-':
			out.WriteRune(r)
		case !strings.HasSuffix(out.String(), "-"):
			out.WriteByte('-')
		}
	}
	id := strings.Trim(out.String(), "-")
	return cmp.Or(id[:min(len(id), 64)], "main")
}

// main is the key of the main session.
func (m *model) main() string {
	if m.conf.global {
		return "global"
	}
	return "agent:" + m.conf.defaultAgent() + ":main"
}

// canonical is the key that a client's key means.
func (m *model) canonical(given string) string {
	key := lower(trim(given))
	agent, _, ok := parse(key)
	switch {
	case key == "global" || key == "unknown":
		return key
	case ok && m.conf.global && key == "agent:"+agent+":main":
		return "global"
	case ok || strings.HasPrefix(key, "agent:"):
		return key
	case key == "main":
		return m.main()
	}
	return "agent:" + m.conf.defaultAgent() + ":" + key
}

// malformed keys begin like agent keys but cannot be written.
func malformed(given string) bool {
	key := lower(trim(given))
	agent, rest, ok := parse(key)
	return strings.HasPrefix(key, "agent:") && (!ok || !validAgent(agent) || key != "agent:"+agent+":"+rest)
}

func (m *model) agentOf(canonical string) string {
	if agent, _, ok := parse(canonical); ok {
		return normalAgent(agent)
	}
	return m.conf.defaultAgent()
}

func rest(canonical string) string {
	if _, rest, ok := parse(canonical); ok {
		return rest
	}
	return canonical
}

func subagent(canonical string) bool { return strings.HasPrefix(rest(canonical), "subagent:") }

func spawned(canonical string) bool {
	return subagent(canonical) || strings.HasPrefix(rest(canonical), "acp:")
}

func cronRun(canonical string) bool {
	parts := strings.Split(rest(canonical), ":")
	_, _, ok := parse(canonical)
	return ok && len(parts) == 4 && parts[0] == "cron" && parts[2] == "run"
}

// home is the file that a canonical key belongs to.
func (m *model) home(canonical string) *file {
	agent := m.agentOf(canonical)
	if m.conf.store == fixedStore {
		agent = m.conf.defaultAgent()
	}
	if m.files[agent] == nil {
		m.files[agent] = &file{agent: agent, transcripts: map[string]bool{}}
	}
	return m.files[agent]
}

// meaning is the canonical form of a key as it stands in the file.
func (f *file) meaning(key string) string {
	key = lower(key)
	if key == "global" || key == "unknown" || strings.HasPrefix(key, "agent:") {
		return key
	}
	return "agent:" + f.agent + ":" + key
}

// spells reports whether a stored key is a spelling of a canonical key that was
// given so: an alias of "global" is one only where it was given.
func (f *file) spells(key, canonical string, given []string) bool {
	return f.meaning(key) == canonical || canonical == "global" && len(given) > 0 && lower(key) == lower(trim(given[0]))
}

// find is the freshest entry under any spelling of a canonical key.
func (f *file) find(canonical string, given ...string) (found stored, ok bool) {
	for _, s := range f.entries {
		if !f.spells(s.key, canonical, given) {
			continue
		}
		newer := s.number("updatedAt") > found.number("updatedAt")
		if !ok || newer || s.number("updatedAt") == found.number("updatedAt") && s.key == canonical {
			found, ok = s, true
		}
	}
	return found, ok
}

// claim leaves the freshest entry under the canonical key and removes all
// other spellings.
func (f *file) claim(canonical string, given ...string) (entry, bool) {
	s, ok := f.find(canonical, given...)
	if !ok {
		return nil, false
	}
	f.entries = slices.DeleteFunc(f.entries, func(s stored) bool { return f.spells(s.key, canonical, given) && s.key != canonical })
	f.put(canonical, s.entry)
	return s.entry, true
}

// put sets an entry; a new key goes to the end.
func (f *file) put(key string, e entry) {
	if i := slices.IndexFunc(f.entries, func(s stored) bool { return s.key == key }); i >= 0 {
		f.entries[i].entry = e
		return
	}
	f.entries = append(f.entries, stored{key, e})
}

// lookup is the session that a client's key means.
func (m *model) lookup(given string) (stored, bool) {
	key := m.canonical(given)
	return m.home(key).find(key, given)
}

// ordered are all files as the combined view reads them.
func (m *model) ordered() []*file {
	var out []*file
	first := m.conf.agentIDs()
	for _, agent := range append(first, slices.Sorted(maps.Keys(m.files))...) {
		if f := m.files[agent]; f != nil && !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	return out
}

// combined are the sessions of all files under canonical keys, in store order.
// Several spellings of a key are one session: fields of the newer win.
func (m *model) combined() []stored {
	var out []stored
	for _, f := range m.ordered() {
		for _, s := range f.entries {
			s = stored{f.meaning(s.key), maps.Clone(s.entry)}
			if by := trim(s.text("spawnedBy")); by != "" {
				s.entry["spawnedBy"] = m.spawner(f, by)
			}
			i := slices.IndexFunc(out, func(o stored) bool { return o.key == s.key })
			if i < 0 {
				out = append(out, s)
				continue
			}
			older, newer := out[i].entry, s.entry
			if older.number("updatedAt") > newer.number("updatedAt") {
				older, newer = newer, older
			}
			merged := maps.Clone(older)
			maps.Copy(merged, newer)
			out[i].entry = merged
		}
	}
	return out
}

// spawner is the canonical form of a spawnedBy in a file.
func (m *model) spawner(f *file, text string) string {
	key := f.meaning(text)
	if agent, _, ok := parse(key); ok && m.conf.global && key == "agent:"+agent+":main" {
		return "global"
	}
	return key
}
