package gateway

import (
	"strconv"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/protocol"
)

const (
	usageDays   = 30
	lastInstant = 24*time.Hour - time.Millisecond
)

// usageRange is the first and the last moment of the days that a report is
// about: those given, if both are, else the last 30.
func usageRange(p protocol.SessionsUsageParams, now time.Time) (from, to time.Time) {
	zone := usageZone(p.Mode, p.UTCOffset)
	start, errStart := time.ParseInLocation(time.DateOnly, p.StartDate, zone)
	end, errEnd := time.ParseInLocation(time.DateOnly, p.EndDate, zone)
	if errStart == nil && errEnd == nil {
		return start, end.Add(lastInstant)
	}
	y, m, d := now.In(zone).Date()
	today := time.Date(y, m, d, 0, 0, 0, 0, zone)
	return today.AddDate(0, 0, 1-usageDays), today.Add(lastInstant)
}

// usageZone is the time zone whose days are meant. The schema has checked the
// form of the offset; one that no place on earth has counts as none.
func usageZone(mode, offset string) *time.Location {
	switch mode {
	case "gateway":
		return time.Local
	case "specific":
	default:
		return time.UTC
	}
	text, ok := strings.CutPrefix(offset, "UTC")
	if !ok || len(text) < 2 {
		return time.UTC
	}
	hours, minutes, _ := strings.Cut(text[1:], ":")
	h, _ := strconv.Atoi(hours)
	m, _ := strconv.Atoi(minutes)
	east := h*60 + m
	if text[0] == '-' {
		east = -east
	}
	if east < -12*60 || east > 14*60 {
		return time.UTC
	}
	return time.FixedZone(offset, east*60)
}

func utcDay(t time.Time) string { return t.UTC().Format(time.DateOnly) }
