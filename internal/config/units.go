package config

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

var (
	durationParts = regexp.MustCompile(`^(?:\d+(?:\.\d+)?(?:ms|[smhd]))+$`)
	durationPart  = regexp.MustCompile(`(\d+(?:\.\d+)?)(ms|[smhd])`)
	bareNumber    = regexp.MustCompile(`^\d+(?:\.\d+)?$`)
	sizeText      = regexp.MustCompile(`^(\d+(?:\.\d+)?)([kmgt]?b|[kmgt])?$`)
)

// parseDuration reads a duration such as "30d", "1.5h" or "1h30m", rounded to
// whole milliseconds. A bare number counts bare units.
func parseDuration(s string, bare time.Duration) (time.Duration, bool) {
	s = strings.ToLower(jstext.Trim(s))
	if bareNumber.MatchString(s) {
		return roundDuration(s, bare), true
	}
	if !durationParts.MatchString(s) {
		return 0, false
	}
	total := 0.0
	for _, part := range durationPart.FindAllStringSubmatch(s, -1) {
		n, _ := strconv.ParseFloat(part[1], 64)
		total += n * float64(durationUnit(part[2])/time.Millisecond)
	}
	return milliseconds(total), true
}

func roundDuration(number string, unit time.Duration) time.Duration {
	n, _ := strconv.ParseFloat(number, 64)
	return milliseconds(n * float64(unit/time.Millisecond))
}

// milliseconds is ms rounded, or the longest duration when it is longer.
func milliseconds(ms float64) time.Duration {
	if ms = math.Round(ms); ms >= float64(math.MaxInt64/int64(time.Millisecond)) {
		return math.MaxInt64
	}
	return time.Duration(ms) * time.Millisecond
}

func durationUnit(name string) time.Duration {
	switch name {
	case "ms":
		return time.Millisecond
	case "s":
		return time.Second
	case "m":
		return time.Minute
	case "h":
		return time.Hour
	}
	return 24 * time.Hour
}

// parseSize reads a size such as "10mb" in bytes, rounded; units are powers of
// 1024.
func parseSize(s string) (int64, bool) {
	m := sizeText.FindStringSubmatch(strings.ToLower(jstext.Trim(s)))
	if m == nil {
		return 0, false
	}
	n, _ := strconv.ParseFloat(m[1], 64)
	if m[2] != "" && m[2] != "b" {
		n *= math.Pow(1024, float64(strings.IndexByte("kmgt", m[2][0])+1))
	}
	if n = math.Round(n); n >= math.MaxInt64 {
		return math.MaxInt64, true
	}
	return int64(n), true
}

// numberOrText is the text of a string, or a number's digits.
func numberOrText(v rawjson.Value) (string, bool) {
	if f, ok := rawjson.Number(v); ok {
		return strconv.FormatFloat(f, 'f', -1, 64), true
	}
	return rawjson.Text(v)
}

// days reads a duration; a bare number is days.
func days(to *time.Duration) reader {
	return func(d *decoder, at string, v rawjson.Value) {
		if d.describes(`{"type":["string","number"]}`) {
			return
		}
		s, ok := numberOrText(v)
		if ok {
			*to, ok = parseDuration(s, 24*time.Hour)
		}
		if !ok {
			d.issue(at, "invalid duration (use ms, s, m, h, d)")
		}
	}
}

// size reads a number of bytes.
func size(to *int64) reader {
	return func(d *decoder, at string, v rawjson.Value) {
		if d.describes(`{"type":["string","number"]}`) {
			return
		}
		s, ok := numberOrText(v)
		if ok {
			*to, ok = parseSize(s)
		}
		if !ok {
			d.issue(at, "invalid size (use b, kb, mb, gb, tb)")
		}
	}
}
