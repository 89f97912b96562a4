package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/parleyd/parley/internal/atomicfile"
	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/rawjson"
)

const (
	// lockTimeout is how long a change waits for another process that changes
	// the device files.
	lockTimeout = 10 * time.Second
	// touchInterval is how often at most the times of last use are written.
	touchInterval = time.Second
	// leftoverAge is the age from which a temporary file has no writer any more.
	leftoverAge = 10 * time.Minute
)

// Devices is what <state>/devices holds: the paired devices with their tokens,
// the requests that wait for approval, and the bootstrap tokens.
//
// A change takes the lock file devices.flock, reads again what another process
// may have written, and is on disk when the method returns.
type Devices struct {
	dir  string
	disk *disk.FS
	log  *slog.Logger

	mu        sync.Mutex // guards all below
	paired    file
	pending   file
	bootstrap file
	used      map[tokenName]int64 // times of last use that are not written yet
	touch     *time.Timer         // fires to write them; nil when it does not run
	closed    bool
	endings   map[string]uint64 // by device id, see Endings
}

type tokenName struct{ deviceID, role string }

// OpenDevices gives access to the device files of a state directory, through
// files (nil for the plain system). It creates nothing; the first change does.
func OpenDevices(stateDir string, files *disk.FS, log *slog.Logger) (*Devices, error) {
	dir := filepath.Join(stateDir, "devices")
	d := &Devices{dir: dir, disk: files, log: log, used: map[tokenName]int64{}, endings: map[string]uint64{}}
	d.paired = file{path: filepath.Join(dir, "paired.json"), disk: files, log: log}
	d.pending = file{path: filepath.Join(dir, "pending.json"), disk: files, log: log}
	d.bootstrap = file{path: filepath.Join(dir, "bootstrap.json"), disk: files, log: log}
	for _, f := range []*file{&d.paired, &d.pending, &d.bootstrap} {
		if err := atomicfile.RemoveLeftovers(f.path, leftoverAge); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// Close writes what is not written yet.
func (d *Devices) Close() error {
	d.mu.Lock()
	if d.touch != nil {
		d.touch.Stop()
	}
	d.closed = true
	d.mu.Unlock()
	return d.writeUses()
}

// state is what a change works on: copies of the files' contents.
type state struct {
	paired, pending, bootstrap rawjson.Object
	pairedChanged              bool
	pendingChanged             bool
	bootstrapChanged           bool
	now                        int64
}

// view calls fn with what the files hold now. fn must change nothing.
func (d *Devices) view(fn func(*state)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, err := d.load()
	if err != nil {
		return err
	}
	fn(s)
	return nil
}

// update calls fn to change what the files hold. An error of fn means that
// nothing is written. fn is called a second time, on fresh contents, when it
// changed something: the lock is taken only then.
func (d *Devices) update(fn func(*state) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, err := d.load()
	if err != nil {
		return err
	}
	if err := fn(s); err != nil || !s.changed() {
		return err
	}
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if s, err = d.load(); err != nil {
		return err
	}
	if err := fn(s); err != nil {
		return err
	}
	return d.store(s)
}

func (s *state) changed() bool { return s.pairedChanged || s.pendingChanged || s.bootstrapChanged }

// load reads what changed on disk and copies it for a caller.
func (d *Devices) load() (*state, error) {
	if err := errors.Join(d.paired.refresh(), d.pending.refresh(), d.bootstrap.refresh()); err != nil {
		return nil, err
	}
	s := &state{
		paired: d.paired.content.Clone(), pending: d.pending.content.Clone(), bootstrap: d.bootstrap.content.Clone(),
		now: time.Now().UnixMilli(),
	}
	for name, at := range d.used {
		s.setUsed(name, at)
	}
	return s, nil
}

// store writes what changed; both files of the pairing are there afterwards.
func (d *Devices) store(s *state) error {
	if s.pairedChanged || s.pendingChanged && d.paired.seen == nil {
		if err := d.paired.write(s.paired); err != nil {
			return err
		}
		clear(d.used) // they are part of what was written
	}
	if s.pendingChanged || s.pairedChanged && d.pending.seen == nil {
		s.dropExpired()
		if err := d.pending.write(s.pending); err != nil {
			return err
		}
	}
	if s.bootstrapChanged {
		return d.bootstrap.write(s.bootstrap)
	}
	return nil
}

// lock keeps other processes from changing the files until unlock is called.
func (d *Devices) lock() (unlock func(), err error) {
	if err := d.disk.MkdirAll(d.dir); err != nil {
		return nil, fmt.Errorf("make the directory of the device files: %w", err)
	}
	l := flock.New(filepath.Join(d.dir, "devices.flock"), flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(context.Background(), lockTimeout)
	defer cancel()
	ok, err := l.TryLockContext(ctx, 25*time.Millisecond)
	if err != nil || !ok {
		return nil, fmt.Errorf("wait for another process that holds %s: %w", l.Path(), err)
	}
	return func() {
		if err := l.Close(); err != nil {
			d.log.Error("could not release the lock of the device files", "err", err)
		}
	}, nil
}

// Endings counts how often a device was removed or one of its tokens revoked
// since the start. A handshake that sees another number at its end than at its
// beginning has let in a device that is gone.
func (d *Devices) Endings(deviceID string) uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.endings[deviceID]
}

func (d *Devices) ended(deviceID string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.endings[deviceID]++
}

// noteUse keeps the time at which a token was used, to be written soon.
func (d *Devices) noteUse(name tokenName) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	d.used[name] = time.Now().UnixMilli()
	if d.touch == nil {
		d.touch = time.AfterFunc(touchInterval, d.writeUsesLater)
	}
}

func (d *Devices) writeUsesLater() {
	d.mu.Lock()
	d.touch = nil
	d.mu.Unlock()
	if err := d.writeUses(); err != nil {
		d.log.Warn("could not write when device tokens were last used", "err", err)
	}
}

// writeUses writes the times of last use; load has put them into the state.
func (d *Devices) writeUses() error {
	return d.update(func(s *state) error {
		s.pairedChanged = len(d.used) > 0
		return nil
	})
}
