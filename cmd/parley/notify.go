package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// notifier speaks sd_notify: a datagram of lines to the socket that systemd
// names. The zero value tells nobody.
type notifier struct {
	socket   string
	watchdog time.Duration // how often it wants to hear that we live, 0 for not
}

// notifierOf reads what systemd says in the environment.
func notifierOf(env func(string) string) notifier {
	n := notifier{socket: env("NOTIFY_SOCKET")}
	usec, err := strconv.ParseInt(env("WATCHDOG_USEC"), 10, 64)
	if pid := env("WATCHDOG_PID"); err != nil || usec <= 0 || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return n
	}
	n.watchdog = time.Duration(usec) * time.Microsecond
	return n
}

// tell sends lines such as READY=1; empty ones are left out.
func (n notifier) tell(state ...string) error {
	if n.socket == "" {
		return nil
	}
	name := n.socket
	if strings.HasPrefix(name, "@") {
		name = "\x00" + name[1:] // of the abstract name space
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("connect to NOTIFY_SOCKET: %w", err)
	}
	defer c.Close()
	var lines strings.Builder
	for _, line := range state {
		if line != "" {
			lines.WriteString(line + "\n")
		}
	}
	if _, err := c.Write([]byte(lines.String())); err != nil {
		return fmt.Errorf("write to NOTIFY_SOCKET: %w", err)
	}
	return nil
}
