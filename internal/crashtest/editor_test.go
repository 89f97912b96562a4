package crashtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/rawjson"
)

// editor is a second program that rewrites a session store: the whole file for
// every change, as OpenClaw does.
type editor struct {
	store string
	locks bool // takes sessions.json.lock, as OpenClaw does and a person's editor does not
}

// rewrite reads the store, lets change have its members, and replaces the file:
// temporary file, sync, rename.
func (e editor) rewrite(ctx context.Context, change func(*rawjson.Object)) (err error) {
	if e.locks {
		if err := e.lock(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.Remove(e.store+".lock")) }()
	}
	data, err := os.ReadFile(e.store)
	if err != nil {
		return err
	}
	members, err := rawjson.Parse(data)
	if err != nil {
		return fmt.Errorf("the store as the other program reads it: %w", err)
	}
	change(&members)
	var text bytes.Buffer
	if err := json.Indent(&text, members.JSON(), "", "  "); err != nil {
		return err
	}
	return replace(e.store, text.Bytes())
}

func replace(path string, text []byte) error {
	aside := fmt.Sprintf("%s.%d.tmp", path, time.Now().UnixNano())
	f, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(aside, path)
}

// lock waits for the lock file at most ten seconds.
func (e editor) lock(ctx context.Context) error {
	for deadline := time.Now().Add(10 * time.Second); ; {
		f, err := os.OpenFile(e.store+".lock", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			_, err = f.WriteString(lockText())
			return errors.Join(err, f.Close())
		}
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		if time.Now().After(deadline) {
			return errors.New("the other program could not lock the store in 10 s")
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// lockText is what OpenClaw writes into a lock file.
func lockText() string {
	text := fmt.Sprintf("{\n  \"pid\": %d,\n  \"createdAt\": %q", os.Getpid(), time.Now().UTC().Format("2006-01-02T15:04:05.000Z"))
	if stat, err := os.ReadFile("/proc/self/stat"); err == nil {
		_, rest, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(rest); len(fields) > 19 {
			if start, err := strconv.ParseInt(fields[19], 10, 64); err == nil {
				text += fmt.Sprintf(",\n  \"starttime\": %d", start)
			}
		}
	}
	return text + "\n}"
}

// set puts a field of an entry, which is made if need be, as a person or
// OpenClaw changes it.
func set(members *rawjson.Object, key, field, value string) {
	e, err := rawjson.Parse(members.Get("agent:main:" + key))
	if err != nil {
		e = rawjson.NewObject()
		e.Put("sessionId", "11111111-2222-4333-8444-"+fmt.Sprintf("%012x", time.Now().UnixNano()&0xffffffffffff))
	}
	e.Put(field, value)
	e.Put("updatedAt", time.Now().UnixMilli())
	members.Set("agent:main:"+key, e.JSON())
}

// get is a field of an entry.
func get(members rawjson.Object, key, field string) string {
	e, err := rawjson.Parse(members.Get("agent:main:" + key))
	if err != nil {
		return ""
	}
	return e.Text(field)
}

// conflicts are the lines of the file in which the daemon keeps what lost when
// both sides changed an entry.
func conflicts(store string) (lines []string, err error) {
	data, err := os.ReadFile(store + ".conflicts")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(data)) {
		o, err := rawjson.Parse([]byte(line))
		if err != nil {
			return nil, fmt.Errorf("a line of %s.conflicts: %w: %s", store, err, line)
		}
		if !o.Has("key") || !o.Has("lost") {
			return nil, fmt.Errorf("a line of %s.conflicts lacks key or lost: %s", store, line)
		}
		lines = append(lines, line)
	}
	return lines, nil
}
