package gatewaytest

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
)

// TestSocketIsStrict feeds a socket frames and checks how it takes them.
func TestSocketIsStrict(t *testing.T) {
	for name, c := range map[string]struct {
		frames   string
		messages string // with | between
		code     int
	}{
		"text":                {"\x81\x02hi", "hi", 1006},
		"fragments":           {"\x01\x01a\x89\x01p\x00\x01b\x80\x01c", "abc", 1006},
		"close":               {"\x88\x04\x03\xf0ok", "", 1008},
		"close without code":  {"\x88\x00", "", 1005},
		"close of one byte":   {"\x88\x01x", "", 1006},
		"after close":         {"\x81\x01a\x88\x02\x03\xe8\x81\x01b", "a", 1000},
		"not UTF-8":           {"\x81\x01\xff", "", 1006},
		"masked":              {"\x81\x81abcdx", "", 1006},
		"reserved bit":        {"\xc1\x01x", "", 1006},
		"unknown opcode":      {"\x83\x00", "", 1006},
		"long ping":           {"\x89\x7e\x00\x7e" + strings.Repeat("x", 126), "", 1006},
		"continuation first":  {"\x80\x01a", "", 1006},
		"text in a text":      {"\x01\x01a\x81\x01b", "", 1006},
		"16 bit size":         {"\x81\x7e\x00\x7f" + strings.Repeat("x", 127), strings.Repeat("x", 127), 1006},
		"64 bit size":         {"\x81\x7f\x00\x00\x00\x00\x00\x00\x00\x02hi", "hi", 1006},
		"more than a message": {"\x81\x7f\x00\x00\x00\x00\xff\x00\x00\x02hi", "", 1006},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := net.Pipe()
			go func() {
				io.WriteString(theirs, c.frames)
				theirs.Close()
			}()
			s := &socket{conn: ours, in: bufio.NewReader(ours), more: make(chan struct{}, 1)}
			var messages []string
			end := s.read(func(m []byte) { messages = append(messages, string(m)) }, func([]byte) {})
			if got := strings.Join(messages, "|"); got != c.messages || end.code != c.code {
				t.Errorf("messages %q, closed with %d; want %q, %d", got, end.code, c.messages, c.code)
			}
		})
	}
}
