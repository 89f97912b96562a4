package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// LogFile is the file that the daemon logs into on a day: logging.file, or
// the day's own in the directory logs of the state directory.
func (c *Config) LogFile(day time.Time) string {
	if c.Logging.File != "" {
		return c.Logging.File
	}
	return filepath.Join(c.logDir(), day.Format(logName))
}

// logName is the name of a day's log file, as time.Format takes it.
const logName = "parley-2006-01-02.log"

func (c *Config) logDir() string { return filepath.Join(c.StateDir, "logs") }

// A DailyLog is one day's log file.
type DailyLog struct {
	Path string
	Day  time.Time // midnight, local time
}

// DailyLogs are the log files of days that there are, oldest first; none when
// logging.file is set.
func (c *Config) DailyLogs() ([]DailyLog, error) {
	if c.Logging.File != "" {
		return nil, nil
	}
	names, err := os.ReadDir(c.logDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the log files: %w", err)
	}
	var logs []DailyLog
	for _, n := range names {
		if day, err := time.ParseInLocation(logName, n.Name(), time.Local); err == nil && n.Type().IsRegular() {
			logs = append(logs, DailyLog{filepath.Join(c.logDir(), n.Name()), day})
		}
	}
	slices.SortFunc(logs, func(a, b DailyLog) int { return a.Day.Compare(b.Day) })
	return logs, nil
}
