package loadtest

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// usage is what a process has used so far.
type usage struct {
	cpu     time.Duration
	rss     int64 // bytes
	private int64 // bytes of memory that is its own: not its program's text, which the system can drop
	written int64 // bytes that it made the disk write
	files   int
	threads int
}

// tick is the unit of /proc/PID/stat.
const tick = 10 * time.Millisecond

// usageOf asks the system about a process.
func usageOf(pid int) (u usage, err error) {
	dir := fmt.Sprintf("/proc/%d/", pid)
	stat, err := os.ReadFile(dir + "stat")
	if err != nil {
		return u, err
	}
	_, rest, _ := bytes.Cut(stat, []byte(") ")) // the name may hold anything
	fields := strings.Fields(string(rest))
	if len(fields) < 22 {
		return u, fmt.Errorf("%sstat has %d fields", dir, len(fields))
	}
	number := func(s string) int64 {
		n, _ := strconv.ParseInt(s, 10, 64) // the kernel writes numbers
		return n
	}
	u.cpu = time.Duration(number(fields[11])+number(fields[12])) * tick
	u.threads = int(number(fields[17]))
	u.rss = number(fields[21]) * int64(os.Getpagesize())
	if io, err := os.ReadFile(dir + "io"); err == nil {
		u.written = number(valueOf(string(io), "write_bytes:"))
	}
	if maps, err := os.ReadFile(dir + "smaps_rollup"); err == nil { // of a program just built, the text is dirty too: Private_Dirty counts that
		u.private = number(valueOf(string(maps), "Anonymous:")) << 10
	}
	if open, err := os.ReadDir(dir + "fd"); err == nil {
		u.files = len(open)
	}
	return u, nil
}

// valueOf is the number behind a name in a text of lines.
func valueOf(text, name string) string {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), name); ok {
			return strings.TrimSuffix(strings.TrimSpace(v), " kB")
		}
	}
	return ""
}
