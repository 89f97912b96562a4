package gatewaytest

import (
	"fmt"
	"slices"
	"strings"
)

// requestTarget is the path and query that a browser requests for the text
// after an origin: dot segments resolved (also %2e), backslashes turned, and
// what may not stand there percent-encoded. Existing escapes stay as they are.
func requestTarget(s string) string {
	s = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(s)
	s, _, _ = strings.Cut(s, "#")
	path, query, asked := strings.Cut(s, "?")
	path = strings.ReplaceAll(path, `\`, "/")
	var out []string
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, seg := range segments {
		last := i == len(segments)-1
		switch strings.ReplaceAll(strings.ToLower(seg), "%2e", ".") {
		case "..":
			out = out[:max(len(out)-1, 0)]
			if last {
				out = append(out, "")
			}
		case ".":
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, percent(seg, "\"#<>?^`{}"))
		}
	}
	target := "/" + strings.Join(out, "/")
	if asked && query != "" {
		target += "?" + percent(query, "\"#<>'")
	}
	return target
}

// percent encodes the bytes of set, spaces, controls and all beyond ASCII.
func percent(s, set string) string {
	var out strings.Builder
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7F || strings.IndexByte(set, c) >= 0 {
			fmt.Fprintf(&out, "%%%02X", c)
			continue
		}
		out.WriteByte(c)
	}
	return out.String()
}

// sortTexts sorts by the texts of the values, as Array.sort does.
func sortTexts(vs []any) {
	slices.SortStableFunc(vs, func(a, b any) int { return strings.Compare(text(a), text(b)) })
}
