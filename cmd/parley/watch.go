package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settleTime is how long files must be left alone before they are read: editors
// write in several steps.
const settleTime = 200 * time.Millisecond

// watchFiles calls changed a moment after one of the files has changed, come or
// gone, until ctx ends, and once at the beginning. files is asked again after each change. Directories are
// watched rather than files, because most programs rename a new file into place.
func watchFiles(ctx context.Context, files func() []string, changed func(), log *slog.Logger) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn("the configuration files cannot be watched; SIGHUP has them read", "err", err)
		return
	}
	defer w.Close()
	var wanted []string
	look := func() {
		wanted = files()
		for _, f := range wanted {
			if dir := filepath.Dir(f); !slices.Contains(w.WatchList(), dir) {
				if err := w.Add(dir); err != nil {
					log.Debug("a directory cannot be watched", "path", dir, "err", err)
				}
			}
		}
	}
	look()
	changed() // what was written before we looked
	settled := time.NewTimer(time.Hour)
	settled.Stop()
	for {
		select {
		case e := <-w.Events:
			if e.Op != fsnotify.Chmod && watched(wanted, e.Name) {
				settled.Reset(settleTime)
			}
		case err := <-w.Errors:
			log.Warn("changes of the configuration files may have been missed; SIGHUP has them read", "err", err)
		case <-settled.C:
			changed()
			look()
		case <-ctx.Done():
			return
		}
	}
}

// watched reports whether a change of path may be one of a file: of itself, or
// of the link through which Kubernetes swaps a whole directory.
func watched(files []string, path string) bool {
	return slices.Contains(files, path) || filepath.Base(path) == "..data"
}
