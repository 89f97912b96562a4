package transcript

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/parleyd/parley/internal/jstext"
)

var ownNames = regexp.MustCompile(`(?i)^(?:\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:[-.]\d+)?Z_)?` +
	`([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(?:-topic-.+)?\.jsonl$`)

// validSessionID reports whether a session id can name a file: 1 to 128
// letters, digits, ".", "_" and "-", of which the first is a letter or digit.
func validSessionID(id string) bool {
	for i := range len(id) {
		c := id[i]
		if !alphanumeric(c|0x20, c) && (i == 0 || c != '.' && c != '_' && c != '-') {
			return false
		}
	}
	return 0 < len(id) && len(id) <= 128
}

// validAgentID reports whether an agent id can name a directory: 1 to 64 small
// letters, digits, "_" and "-", of which the first is a letter or digit.
func validAgentID(id string) bool {
	for i := range len(id) {
		c := id[i]
		if !alphanumeric(c, c) && (i == 0 || c != '_' && c != '-') {
			return false
		}
	}
	return 0 < len(id) && len(id) <= 64
}

// alphanumeric reports whether letter is a small letter or digit a digit.
func alphanumeric(letter, digit byte) bool {
	return 'a' <= letter && letter <= 'z' || '0' <= digit && digit <= '9'
}

// paths knows where the transcript of an entry may lie. Its functions touch
// the disk only to follow symbolic links.
type paths struct {
	stateDir, home string
	links          *follower
}

// base is a directory that transcripts of r may lie in.
func (p paths) base(r Ref, path string) *base {
	b := r.Dirs.base(path)
	b.links = p.links
	return b
}

// own is the directory of the store.
func (p paths) own(r Ref) *base {
	if b := r.Dirs.last(r.Dir); b != nil {
		return b
	}
	b := p.base(r, filepath.Clean(r.Dir))
	r.Dirs.remember(r.Dir, b)
	return b
}

// candidates lists the paths where the transcript of r may lie, in the order
// in which readers look. The first one is where a new file is made.
func (p paths) candidates(r Ref) []string {
	id := jstext.Trim(r.SessionID)
	name := ""
	if validSessionID(id) {
		name = id + ".jsonl"
	}
	named := p.sessionFile(r)
	stale := named != "" && belongsToOther(filepath.Base(named), id)

	var out []string
	add := func(path ...string) {
		if c := filepath.Join(path...); !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	if named != "" && !stale {
		add(named)
	}
	if name != "" {
		add(r.Dir, name)
	}
	if stale {
		add(named)
	}
	if name != "" && validAgentID(r.Agent) && p.stateDir != "" {
		add(p.stateDir, "agents", r.Agent, "sessions", name)
	}
	if name != "" && p.home != "" {
		add(p.legacy(), name)
	}
	return out
}

// legacy is the directory of an old layout, which knew one agent only.
func (p paths) legacy() string { return filepath.Join(p.home, ".openclaw", "sessions") }

// belongsToOther reports whether a file name carries the uuid of a session
// other than id. Names without a uuid are custom and belong to whom names them.
func belongsToOther(name, id string) bool {
	m := ownNames.FindStringSubmatch(name)
	return m != nil && !strings.EqualFold(m[1], id)
}

// sessionFile is the path that the entry's sessionFile means, or "" when it
// has none or one that leads elsewhere than to a sessions directory.
func (p paths) sessionFile(r Ref) string {
	text := jstext.Trim(r.SessionFile)
	if text == "" || strings.ContainsRune(text, 0) || reserved(filepath.Base(text)) {
		return ""
	}
	if !filepath.IsAbs(text) {
		clean := filepath.Clean(text)
		if clean == "." || !filepath.IsLocal(clean) {
			return ""
		}
		return filepath.Join(r.Dir, clean)
	}
	path := r.Dirs.realPath(filepath.Clean(text))
	if rel, ok := inside(p.own(r).real(), path); ok {
		return filepath.Join(r.Dir, rel)
	}
	for _, root := range p.agentRoots(r) {
		rel, ok := inside(p.base(r, root).real(), path)
		if !ok {
			continue
		}
		if parts := strings.Split(filepath.ToSlash(rel), "/"); len(parts) > 2 && validAgentID(parts[0]) && parts[1] == "sessions" {
			return filepath.Join(root, rel)
		}
	}
	return ""
}

// reserved reports whether a file in a sessions directory is something else
// than a transcript: a store, a journal, or what belongs to one.
func reserved(name string) bool {
	name = strings.ToLower(name) // as file systems that ignore case compare
	return strings.HasSuffix(name, ".json") || strings.Contains(name, ".json.") || strings.HasPrefix(name, "runs.journal")
}

// agentRoots are the directories that hold one directory per agent: that of
// the state directory and the one the store lies in.
func (p paths) agentRoots(r Ref) []string {
	var out []string
	if p.stateDir != "" {
		out = append(out, filepath.Join(p.stateDir, "agents"))
	}
	if own := filepath.Dir(filepath.Dir(filepath.Clean(r.Dir))); filepath.Base(r.Dir) == "sessions" &&
		filepath.Base(own) == "agents" && !slices.Contains(out, own) {
		out = append(out, own)
	}
	return out
}

// bases are the directories that a transcript, links followed, may lie in.
func (p paths) bases(r Ref) []*base {
	out := []*base{p.own(r)}
	for _, root := range p.agentRoots(r) {
		out = append(out, p.base(r, root))
	}
	if p.home != "" {
		out = append(out, p.base(r, p.legacy()))
	}
	return out
}

// inside is path relative to dir, when it lies in dir and is not dir itself.
func inside(dir, path string) (string, bool) {
	rel, err := filepath.Rel(dir, path)
	if err != nil || rel == "." || !filepath.IsLocal(rel) {
		return "", false
	}
	return rel, true
}

// within is inside or the directory itself.
func within(dir, path string) bool {
	_, ok := inside(dir, path)
	return ok || dir == path
}

// realPath follows the symbolic links of path as far as it exists.
func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	parent := filepath.Dir(path)
	if parent == path {
		return path
	}
	return filepath.Join(realPath(parent), filepath.Base(path))
}

// place is a file by the directory that bounds it and its path in there.
type place struct {
	base, name string
	real       string      // the path with links followed, if it is known
	info       fs.FileInfo // of the file when it was found, if it was
}

func (p place) path() string {
	if p.name == "" {
		return ""
	}
	return filepath.Join(p.base, p.name)
}

// key is the path with links followed: the name of the file for locks and
// caches.
func (p place) key() string {
	if p.real != "" {
		return p.real
	}
	return filepath.Join(realPath(p.base), p.name)
}

// sibling is the file beside p whose name has suffix added.
func (p place) sibling(suffix string) place { return place{base: p.base, name: p.name + suffix} }

// resolve finds the regular file that path leads to, links followed. It is
// not found when it does not exist or lies in none of bases.
func resolve(path string, bases []*base) (place, bool, error) {
	if p, ok, sure := direct(path, bases); sure {
		return p, ok, nil
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return place{}, false, err
		}
		return place{}, false, nil
	}
	info, err := os.Lstat(real)
	if err != nil || !info.Mode().IsRegular() {
		return place{}, false, nil
	}
	for _, b := range bases {
		if rel, ok := inside(b.real(), real); ok {
			return place{b.path, rel, real, info}, true, nil
		}
	}
	return place{}, false, nil
}

// direct is resolve for the usual case, a file right in one of bases: it is
// sure when the file is there and no link, or not there.
func direct(path string, bases []*base) (p place, ok, sure bool) {
	dir, name := filepath.Split(path)
	i := slices.IndexFunc(bases, func(b *base) bool { return b.path == filepath.Clean(dir) })
	if i < 0 {
		return place{}, false, false
	}
	if bases[i].absent() {
		return place{}, false, true
	}
	real := bases[i].in(name)
	info, err := bases[i].lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return place{}, false, true
	case err != nil || !info.Mode().IsRegular():
		return place{}, false, false
	}
	return place{bases[i].path, name, real, info}, true, true
}
