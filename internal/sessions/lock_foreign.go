package sessions

import "os"

// foreign reports whether another process holds the lock, or may hold it.
func (l fileLock) foreign() bool {
	if _, err := os.Lstat(l.path); err != nil {
		return false
	}
	o, _, ok := l.read()
	return !ok || o.PID != int64(os.Getpid())
}
