package transcript

import (
	"path/filepath"
	"sync"
)

// follower remembers where directories were found to lie. Following links asks the
// system about each part of a path; whether a path still leads where it led takes
// one question. It is asked each time, so that links that others change are seen.
// A nil follower remembers nothing. It is safe for concurrent use.
type follower struct {
	known sync.Map // real paths by path
}

// follow is filepath.EvalSymlinks of a directory.
func (f *follower) follow(path string) (string, error) {
	if f == nil {
		return filepath.EvalSymlinks(path)
	}
	if real, ok := f.known.Load(path); ok && leads(path, real.(string)) {
		return real.(string), nil
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		f.known.Delete(path)
		return "", err
	}
	f.known.Store(path, real)
	return real, nil
}
