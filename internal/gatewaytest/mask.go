package gatewaytest

import (
	"fmt"
	"math"
	"regexp"
	"strings"
)

// Patterns of what is masked. RE2's \b and \d are ASCII, as JavaScript's are.
// What the Node player finds by looking around is scanned by hand below.
const (
	uuidPattern = `(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`
	isoPattern  = `[0-9]{4}-[0-9][0-9]-[0-9][0-9]T[0-9][0-9][:-][0-9][0-9][:-][0-9][0-9](\.[0-9]+)?(Z|[+-][0-9][0-9]:[0-9][0-9])?`
	msPattern   = `\b1[789][0-9]{11}\b`
	hexPattern  = `\b[0-9a-f]{8}\b|\b[0-9a-f]{64}\b`
)

// masker replaces what differs from run to run: ids by numbers in the order
// of first sight, times, ports, the state directory and the host name.
type masker struct {
	state, host, port, modelPort string
	uuid, iso, ms, hex           *regexp.Regexp
	uuids, keys, hexes           numbering
}

// numbering counts distinct words from 1.
type numbering map[string]int

func (n numbering) of(word string) int {
	if n[word] == 0 {
		n[word] = len(n) + 1
	}
	return n[word]
}

func newMasker(state, host string, port, modelPort int) *masker {
	return &masker{
		state: state, host: host, port: fmt.Sprintf(":%d", port), modelPort: fmt.Sprintf(":%d", modelPort),
		uuid: regexp.MustCompile(uuidPattern), iso: regexp.MustCompile(isoPattern),
		ms: regexp.MustCompile(msPattern), hex: regexp.MustCompile(hexPattern),
		uuids: numbering{}, keys: numbering{}, hexes: numbering{},
	}
}

// value masks the strings (names of members too) and times in v.
func (m *masker) value(v any) any {
	switch v := v.(type) {
	case string:
		return m.text(v)
	case float64:
		if v == math.Trunc(v) && v > 1.7e12 && v < 2.0e12 {
			return "<ms>"
		}
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = m.value(e)
		}
		return out
	case *object:
		out := newObject()
		for _, k := range v.keys {
			name := m.text(k)
			out.set(name, m.value(v.vals[k]))
		}
		return out
	}
	return v
}

// text masks one string. The order of the masks is part of the format.
func (m *masker) text(s string) string {
	s = strings.ReplaceAll(s, m.state, "<STATE>")
	s = maskHost(s, m.host)
	s = m.uuid.ReplaceAllStringFunc(s, func(u string) string {
		return fmt.Sprintf("<uuid#%d>", m.uuids.of(strings.ToLower(u)))
	})
	s = m.iso.ReplaceAllString(s, "<iso>")
	s = m.maskKeys(s)
	s = m.ms.ReplaceAllString(s, "<ms>")
	s = strings.ReplaceAll(s, m.port, ":<PORT>")
	s = strings.ReplaceAll(s, m.modelPort, ":<MODEL>")
	return m.hex.ReplaceAllStringFunc(s, func(h string) string {
		return fmt.Sprintf("<hex#%d>", m.hexes.of(h))
	})
}

// wordByte reports whether c is one of [\w-].
func wordByte(c byte) bool {
	return c == '_' || c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// maskHost masks the host name where no word character or hyphen touches it.
func maskHost(s, host string) string {
	if host == "" || !strings.Contains(s, host) {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); {
		end := i + len(host)
		if strings.HasPrefix(s[i:], host) && (i == 0 || !wordByte(s[i-1])) && (end == len(s) || !wordByte(s[end])) {
			out.WriteString("<HOST>")
			i = end
			continue
		}
		out.WriteByte(s[i])
		i++
	}
	return out.String()
}

// maskKeys masks runs of exactly 43 word characters and hyphens that have
// upper and lower case letters: 32 bytes in base64url.
func (m *masker) maskKeys(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); {
		end := i
		for end < len(s) && wordByte(s[end]) {
			end++
		}
		if run := s[i:end]; len(run) == 43 && strings.ToLower(run) != run && strings.ToUpper(run) != run {
			fmt.Fprintf(&out, "<key#%d>", m.keys.of(run))
		} else {
			out.WriteString(run)
		}
		if end < len(s) {
			out.WriteByte(s[end])
			end++
		}
		i = end
	}
	return out.String()
}
