package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/lockfile"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

// leftoverAge is the age from which a temporary file belongs to nobody.
const leftoverAge = 10 * time.Minute

// place looks at the state directory but for the content of the stores: who may
// read it, what a crash left, and whether the small files can be read.
func (e *examination) place() {
	state := e.Config.StateDir
	if _, err := os.Stat(state); errors.Is(err, fs.ErrNotExist) {
		return // the first start makes it
	}
	e.dirMode(state)
	e.fileModes(state, func(name string) bool {
		return name == "token" || name == "parley.lock" || name == ".env" || name == filepath.Base(e.Config.Path)
	})
	agents := filepath.Join(state, "agents")
	e.dirMode(agents)
	private := []string{filepath.Join(state, "devices"), filepath.Join(state, "identity"), filepath.Join(state, "logs")}
	names, _ := os.ReadDir(agents) // what cannot be read holds no stores for us
	for _, n := range names {
		e.dirMode(filepath.Join(agents, n.Name()))
		private = append(private, filepath.Join(agents, n.Name(), "sessions"))
	}
	for _, dir := range private {
		e.dirMode(dir)
		e.fileModes(dir, func(string) bool { return true })
	}
	own := func(name string) bool { return strings.HasPrefix(name, filepath.Base(e.Config.Path)+".") }
	e.leftovers(state, own)
	e.leftovers(filepath.Join(state, "devices"), func(string) bool { return true })
	e.devices(filepath.Join(state, "devices"))
	for _, dir := range e.storeDirs() {
		if !slices.Contains(private, dir) {
			e.fileModes(dir, ofSessions(e.storesIn(dir))) // of the directory others may need more
		}
		e.leftovers(dir, ofSessions(e.storesIn(dir)))
		e.locks(dir)
	}
}

// dirMode looks who may use a directory.
func (e *examination) dirMode(dir string) {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || info.Mode().Perm()&0o077 == 0 {
		return
	}
	f := Finding{
		Severity: Info, Check: "mode", Path: dir, What: fmt.Sprintf("other users can list the directory (mode %04o)", info.Mode().Perm()),
		Cure: withFix + " makes it 0700.",
	}
	if info.Mode().Perm()&0o022 != 0 {
		f.Severity, f.What = Warning, fmt.Sprintf("other users can write into the directory (mode %04o)", info.Mode().Perm())
	}
	e.fix(f, func() ([]string, error) { return nil, os.Chmod(dir, 0o700) })
}

// fileModes looks who may use those files in a directory that mine names.
func (e *examination) fileModes(dir string, mine func(name string) bool) {
	names, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		e.add(Finding{Severity: Error, Check: "mode", Path: dir, What: err.Error(), Cure: "Give the directory back to the user who runs the daemon."})
		return
	}
	var loose []string
	for _, n := range names {
		if info, err := n.Info(); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 && mine(n.Name()) {
			loose = append(loose, n.Name())
		}
	}
	if len(loose) > 0 {
		e.fix(Finding{
			Severity: Warning, Check: "mode", Path: dir,
			What: fmt.Sprintf("other users can use %s: %s", plural(len(loose), "file", "files"), some(loose)), Cure: withFix + " makes them 0600.",
		}, func() ([]string, error) {
			return nil, inDir(dir, loose, func(r *disk.Root, name string) error { return r.Chmod(name, 0o600) })
		})
	}
}

// leftovers looks for temporary files that a crash left, of the files that mine
// names.
func (e *examination) leftovers(dir string, mine func(name string) bool) {
	names, _ := os.ReadDir(dir) // modes has told why not
	var old []string
	for _, n := range names {
		info, err := n.Info()
		if err == nil && info.Mode().IsRegular() && strings.HasSuffix(n.Name(), ".tmp") && mine(n.Name()) && time.Since(info.ModTime()) > leftoverAge {
			old = append(old, n.Name())
		}
	}
	if len(old) > 0 {
		e.fix(Finding{
			Severity: Info, Check: "leftover", Path: dir,
			What: fmt.Sprintf("a crash left %s: %s", plural(len(old), "temporary file", "temporary files"), some(old)),
			Cure: withFix + " removes them, and so does the next start.",
		}, func() ([]string, error) { return nil, inDir(dir, old, (*disk.Root).Remove) })
	}
}

// locks looks for lock files that nobody needs any more.
func (e *examination) locks(dir string) {
	var left []lockfile.Lock
	for _, st := range e.storesIn(dir) {
		left = append(left, st.LockFile())
	}
	names, _ := os.ReadDir(dir)
	for _, n := range names {
		if of, ok := strings.CutSuffix(n.Name(), ".lock"); ok && strings.HasSuffix(of, ".jsonl") {
			left = append(left, transcript.LockOf(filepath.Join(dir, of)))
		}
	}
	for _, l := range left {
		if l.Left() {
			e.fix(Finding{
				Severity: Info, Check: "stale-lock", Path: l.Path, What: "a process that is gone left its lock",
				Cure: "Whoever needs it takes it; " + withFix + " removes it.",
			}, func() ([]string, error) {
				if !l.Break() {
					return nil, errors.New("it is in use again, or cannot be removed")
				}
				return nil, nil
			})
		}
	}
}

// devices looks whether the files of devices can be read.
func (e *examination) devices(dir string) {
	for _, name := range []string{"paired.json", "pending.json", "bootstrap.json"} {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && len(strings.TrimSpace(string(data))) == 0 {
			continue
		}
		if err == nil {
			_, err = rawjson.Parse(data)
		}
		if err != nil {
			e.add(Finding{
				Severity: Warning, Check: "devices-damaged", Path: path, What: fmt.Sprintf("the file cannot be read and counts as empty: %v", err),
				Cure: "Mend it by hand or restore it; else its devices must be let in again. The next change sets it aside as .corrupt.<ms>.",
			})
		}
	}
}

// storeDirs are the directories of all stores, each once.
func (e *examination) storeDirs() (dirs []string) {
	seen := map[string]bool{}
	for _, st := range e.all {
		if !seen[st.Dir()] {
			seen[st.Dir()] = true
			dirs = append(dirs, st.Dir())
		}
	}
	return dirs
}

func (e *examination) storesIn(dir string) (out []*sessions.Store) {
	for _, st := range e.all {
		if st.Dir() == dir {
			out = append(out, st)
		}
	}
	return out
}

// ofSessions names the files that stores, their journals and transcripts are
// made of.
func ofSessions(stores []*sessions.Store) func(name string) bool {
	return func(name string) bool {
		ours := strings.HasPrefix(name+".", "runs.journal.") || strings.Contains(name+".", ".jsonl.")
		for _, st := range stores {
			ours = ours || strings.HasPrefix(name+".", filepath.Base(st.Path())+".")
		}
		return ours
	}
}

// inDir does something to names in a directory, from which none leads out.
func inDir(dir string, names []string, do func(root *disk.Root, name string) error) error {
	var system *disk.FS
	root, err := system.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	var faults []error
	for _, name := range names {
		if err := do(root, name); !errors.Is(err, fs.ErrNotExist) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// some are the first of a list of names.
func some(names []string) string {
	const shown = 3
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

// escape makes a path one that filepath.Glob takes as it stands.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
