package model

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"strings"
	"syscall"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// Fault is the failure of a model or of the way to it.
type Fault struct {
	// Status is the HTTP status of a server that refused, else 0.
	Status int
	// Text is what the server or the network said, whole. It belongs into the
	// transcript.
	Text string
	// Shown is the text for people: Text, or a plainer one where the kind of
	// failure is known, without anything that looks like a credential.
	Shown string
	// Err is the cause, where there is one.
	Err error
}

// Error is Text.
func (f *Fault) Error() string { return f.Text }

// Unwrap is the cause.
func (f *Fault) Unwrap() error { return f.Err }

// TooLong reports whether a server said that the conversation does not fit into the
// model's window.
func (f *Fault) TooLong() bool { return f.Shown == shownOverflow }

// NewFault is a fault with one text for everybody.
func NewFault(text string) *Fault { return &Fault{Text: text, Shown: shownText(text)} }

// The texts for people.
const (
	shownRateLimit   = "⚠️ API rate limit reached. Please try again later."
	shownOverloaded  = "The AI service is temporarily overloaded. Please try again in a moment."
	shownOverflow    = "Context overflow: prompt too large for the model. Try /reset (or /new) to start a fresh session, or use a larger-context model."
	shownRefused     = "LLM request failed: connection refused by the provider endpoint."
	shownInterrupted = "LLM request failed: network connection was interrupted."
	shownDNS         = "LLM request failed: DNS lookup for the provider endpoint failed."
	shownUnreachable = "LLM request failed: the provider endpoint is unreachable from this host."
	shownNetwork     = "LLM request failed: network connection error."
	shownTimeout     = "LLM request timed out."
	shownUnknown     = "LLM request failed with an unknown error."
)

// Words by which a server's text is told, tried in this order.
var wording = []struct {
	words *regexp.Regexp
	shown string
}{
	{regexp.MustCompile(`(?i)^429\b|rate[ _-]?limit|too many requests|quota exceeded|exceeded your (current )?quota|insufficient_quota|resource[ _]exhausted|usage limit|tokens per (minute|day)`), shownRateLimit},
	{regexp.MustCompile(`(?i)overloaded`), shownOverloaded},
	{regexp.MustCompile(`(?i)context[ _](length|window|overflow)|maximum context|prompt is too long|request_too_large|too many tokens|exceeds the (model's )?maximum (context|input|prompt)|input (is )?too long`), shownOverflow},
	{regexp.MustCompile(`(?i)\btimed[ -]?out\b|\btime[ -]?out\b|deadline exceeded`), shownTimeout},
}

// shownText is what people see of a server's text.
func shownText(text string) string {
	if jstext.Blank(text) {
		return shownUnknown
	}
	for _, w := range wording {
		if w.words.MatchString(text) {
			return w.shown
		}
	}
	return maskCredentials(text)
}

// httpFault is the fault of a server that answered status with this message.
func httpFault(status int, message string) *Fault {
	text := fmt.Sprintf("%d %s", status, message)
	return &Fault{Status: status, Text: text, Shown: shownText(text)}
}

// bodyFault is the fault of a server that answered status with this body.
func bodyFault(status int, body []byte) *Fault {
	if message := errorMessage(body); message != "" {
		return httpFault(status, message)
	}
	if text := jstext.Trim(string(body)); text != "" {
		return httpFault(status, text)
	}
	return httpFault(status, "status code (no body)")
}

// errorMessage is error.message of a JSON body, or error where it is a string.
func errorMessage(body []byte) string {
	o, err := rawjson.Parse(body)
	if err != nil {
		return ""
	}
	e := o.Get("error")
	if text, ok := rawjson.Text(e); ok {
		return text
	}
	inner, err := rawjson.Parse(e)
	if err != nil {
		return ""
	}
	return inner.Text("message")
}

// networkFault is the fault of a request that got no answer; its text is the one
// that transcripts have for it, the cause is for the log. begun says that the
// answer had begun: then the connection was cut, whatever the cause.
func networkFault(err error, begun bool) *Fault {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // its own text repeats the address
	}
	if begun {
		return &Fault{Text: "Connection error: " + maskCredentials(err.Error()), Shown: shownNetwork, Err: err}
	}
	return &Fault{Text: "Connection error.", Shown: shownConnection(err), Err: err}
}

func shownConnection(err error) string {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return shownDNS
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return shownRefused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return shownInterrupted
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return shownUnreachable
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return shownTimeout
	}
	return shownNetwork
}

var credentials = regexp.MustCompile(`(?i)\b(sk|pk|rk|ghp|gho|xox[a-z]|gsk|hf|AIza)[-_]?[A-Za-z0-9_-]{16,}|\bBearer\s+[A-Za-z0-9._~+/=-]{8,}|\b(api[_-]?key|token|secret|password)["']?\s*[:=]\s*["']?[^\s"',}]{6,}|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]+`)

// MaskCredentials hides what looks like a secret in a text that a program or a
// server said.
func MaskCredentials(text string) string { return maskCredentials(text) }

// maskCredentials hides what looks like a secret; its first four characters
// stay, so that an operator can tell which it was.
func maskCredentials(text string) string {
	return credentials.ReplaceAllStringFunc(text, func(s string) string {
		for _, sep := range []string{"=", ":", " "} {
			if name, _, ok := strings.Cut(s, sep); ok {
				return name + sep + "***"
			}
		}
		return s[:4] + "***"
	})
}
