package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/protocol"
)

// What logs.tail gives unless asked for another amount.
const (
	defaultLogLines = 500
	defaultLogBytes = 250_000
)

type logsTailResult struct {
	File      string   `json:"file"`
	Cursor    int64    `json:"cursor"` // where the next call goes on
	Size      int64    `json:"size"`
	Lines     []string `json:"lines"`
	Truncated bool     `json:"truncated"` // lines before were left out
	Reset     bool     `json:"reset"`     // the cursor did not fit
}

// logsTail gives the end of the log file, or what came since a cursor
// (spec: protocol 15.3). There need be no file yet.
func (g *Gateway) logsTail(_ context.Context, _ *call, p protocol.LogsTailParams) (logsTailResult, error) {
	path, err := g.logFile(time.Now())
	if err != nil {
		return logsTailResult{}, err
	}
	r := logsTailResult{File: path}
	// Opening a pipe would wait for its other end: look before.
	if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return r, nil
	} else if err != nil {
		return r, fmt.Errorf("read the log: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return r, fmt.Errorf("read the log: %w", err)
	}
	defer f.Close()
	if err := r.read(f, p); err != nil {
		return r, fmt.Errorf("read the log: %w", err)
	}
	return r, nil
}

// logFile is today's log file, or the newest one there is.
func (g *Gateway) logFile(now time.Time) (string, error) {
	today := g.cfg().LogFile(now)
	if _, err := os.Stat(today); err == nil {
		return today, nil
	}
	logs, err := g.cfg().DailyLogs()
	if err != nil || len(logs) == 0 {
		return today, err
	}
	return logs[len(logs)-1].Path, nil
}

// read fills r from the file as large as it is now.
func (r *logsTailResult) read(f *os.File, p protocol.LogsTailParams) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	r.Size = info.Size()
	r.Cursor = r.Size
	start := r.start(p)
	from := max(0, start-1) // the byte before tells whether a line starts there
	text := make([]byte, r.Size-from)
	n, err := f.ReadAt(text, from)
	if err != nil && !errors.Is(err, io.EOF) { // it was cut meanwhile
		return err
	}
	lines := strings.Split(string(text[:n]), "\n")
	if start > 0 {
		lines = lines[1:] // the end of a line, or nothing where one starts
	}
	if len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	r.Lines = lines[max(0, len(lines)-int(cmp.Or(p.Limit, defaultLogLines))):]
	for i, line := range r.Lines {
		r.Lines[i] = told(line)
	}
	return nil
}

// start is the offset to read from.
func (r *logsTailResult) start(p protocol.LogsTailParams) int64 {
	last := max(0, r.Size-int64(cmp.Or(p.MaxBytes, defaultLogBytes)))
	if p.Cursor != nil {
		if at := int64(*p.Cursor); at >= last && at <= r.Size {
			return at
		}
		r.Reset = true
	}
	r.Truncated = last > 0
	return last
}
