package main

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyd/parley/internal/config"
)

func TestDailyLog(t *testing.T) {
	dir := t.TempDir()
	c, _, err := config.Load(config.Options{StateDir: dir, HomeDir: dir, WorkDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	logs := filepath.Join(dir, "logs")
	has := func(day time.Time) bool {
		_, err := os.Stat(c.LogFile(day))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		return err == nil
	}
	synctest.Test(t, func(t *testing.T) {
		file := &dailyLog{config: c}
		log := slog.New(slog.NewJSONHandler(file, nil))
		if _, err := os.Stat(logs); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the directory is there before the first line: %v", err)
		}
		first := time.Now()
		log.Info("a")
		log.Info("b")
		if info, err := os.Stat(c.LogFile(first)); err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("the file: %v, %v", info, err)
		}
		text, err := os.ReadFile(c.LogFile(first))
		if err != nil || strings.Count(string(text), "\n") != 2 || !strings.Contains(string(text), `"msg":"b"}`) {
			t.Errorf("the file holds %q, %v", text, err)
		}
		for range logDays {
			time.Sleep(24 * time.Hour)
			log.Info("c")
		}
		if !has(first) || !has(time.Now()) {
			t.Error("a file within the limit was removed, or the last one is not there")
		}
		for range 2 {
			time.Sleep(24 * time.Hour)
			log.Info("d")
		}
		if has(first) || !has(first.AddDate(0, 0, 1)) || !has(time.Now()) {
			t.Error("not just the file beyond the limit was removed")
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestDailyLogWithoutALine(t *testing.T) {
	if err := (&dailyLog{}).Close(); err != nil {
		t.Error(err)
	}
}
