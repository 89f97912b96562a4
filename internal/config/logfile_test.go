package config

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDailyLogs(t *testing.T) {
	dir := write(t, map[string]string{
		"logs/parley-2026-03-02.log": "", "logs/parley-2025-12-31.log": "", "logs/parley-2026-13-01.log": "",
		"logs/other.log": "", "logs/parley-2026-03-04.log/": "",
	})
	c, _, err := Load(Options{StateDir: dir, HomeDir: dir, WorkDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.Local) }
	if got, want := c.LogFile(day(2026, 3, 2).Add(23*time.Hour)), filepath.Join(dir, "logs", "parley-2026-03-02.log"); got != want {
		t.Errorf("LogFile = %s, want %s", got, want)
	}
	got, err := c.DailyLogs()
	want := []DailyLog{
		{filepath.Join(dir, "logs", "parley-2025-12-31.log"), day(2025, 12, 31)},
		{filepath.Join(dir, "logs", "parley-2026-03-02.log"), day(2026, 3, 2)},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if logs, err := parse(t, `{}`).DailyLogs(); err != nil || logs != nil {
		t.Errorf("without a directory: %v, %v", logs, err)
	}
	named := parse(t, `{logging: {file: "~/my.log"}}`)
	if got := named.LogFile(day(2026, 3, 2)); got != "/home/ann/my.log" {
		t.Errorf("LogFile = %s", got)
	}
}
