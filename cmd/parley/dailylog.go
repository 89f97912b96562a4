package main

import (
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/parleyd/parley/internal/config"
)

// logDays is how long a day's log file is kept.
const logDays = 7

// A dailyLog writes into the log file of the day, which the first line of the
// day makes. Files that are too old are removed then. It is safe for
// concurrent use.
type dailyLog struct {
	config *config.Config

	mu   sync.Mutex // guards below
	path string     // of file, "" before the first line
	file io.WriteCloser
}

// Write appends one line. A failure is for the logger to pass over: the other
// half of the log, on stderr, goes on.
func (d *dailyLog) Write(line []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if path := d.config.LogFile(now); path != d.path {
		if err := d.open(path, now); err != nil {
			return 0, err
		}
	}
	return d.file.Write(line)
}

// open goes over to the file at path.
func (d *dailyLog) open(path string, now time.Time) error {
	file, err := openLog(path)
	if err != nil {
		return err
	}
	if d.file != nil {
		_ = d.file.Close() // all of it is written
	}
	d.path, d.file = path, file
	d.removeOld(now)
	return nil
}

// removeOld removes the files of days long past; one that stays does no harm.
func (d *dailyLog) removeOld(now time.Time) {
	logs, err := d.config.DailyLogs()
	if err != nil {
		return
	}
	for _, l := range logs {
		if l.Day.Before(now.AddDate(0, 0, -logDays-1)) {
			_ = os.Remove(l.Path)
		}
	}
}

// Close closes the file of the day.
func (d *dailyLog) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.file == nil {
		return nil
	}
	return d.file.Close()
}

func openLog(path string) (io.WriteCloser, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}
