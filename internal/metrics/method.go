package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// codes are those that answers have; any other counts as the last.
var codes = [...]string{"ok", "INVALID_REQUEST", "UNAVAILABLE", "NOT_PAIRED", "AGENT_TIMEOUT", "other"}

// Method is the instruments of one method, found once.
type Method struct {
	answered [len(codes)]prometheus.Counter
	took     prometheus.Observer
}

// Method is the instruments of the method of this name, which must be one of the
// program's.
func (m *Metrics) Method(name string) *Method {
	if m == nil {
		return nil
	}
	out := &Method{took: m.requestSeconds.WithLabelValues(name)}
	for i, code := range codes {
		out.answered[i] = m.requests.WithLabelValues(name, code)
	}
	return out
}

// Answered counts a call that was answered with a code.
func (m *Method) Answered(code string, took time.Duration) {
	if m == nil {
		return
	}
	i := 0
	for i < len(codes)-1 && codes[i] != code {
		i++
	}
	m.answered[i].Inc()
	m.took.Observe(took.Seconds())
}

func statusText(status int) string {
	if status < 100 || status > 599 {
		return "other"
	}
	return strconv.Itoa(status)
}
