package transcript

import "sync"

// locks is one mutex per file name. A mutex exists while somebody wants it.
type locks struct {
	mu   sync.Mutex // guards held
	held map[string]*fileLock
}

type fileLock struct {
	mu   sync.Mutex
	want int // guarded by locks.mu
}

// lock waits for the lock of key and returns what releases it.
func (l *locks) lock(key string) (unlock func()) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[string]*fileLock{}
	}
	f := l.held[key]
	if f == nil {
		f = &fileLock{}
		l.held[key] = f
	}
	f.want++
	l.mu.Unlock()

	f.mu.Lock()
	return func() {
		f.mu.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if f.want--; f.want == 0 {
			delete(l.held, key)
		}
	}
}
