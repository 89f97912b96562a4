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
	start, hasStart := usageDay(p.StartDate, zone)
	end, hasEnd := usageDay(p.EndDate, zone)
	if hasStart && hasEnd {
		return start, end.Add(lastInstant)
	}
	y, m, d := now.In(zone).Date()
	today := time.Date(y, m, d, 0, 0, 0, 0, zone)
	return today.AddDate(0, 0, 1-usageDays), today.Add(lastInstant)
}

// usageDay is the begin of a day, whose form the schema has checked. Days that
// no month has are counted on into the next one, as the reference does.
func usageDay(date string, zone *time.Location) (time.Time, bool) {
	if date == "" {
		return time.Time{}, false
	}
	year, _ := strconv.Atoi(date[:4])
	month, _ := strconv.Atoi(date[5:7])
	day, _ := strconv.Atoi(date[8:10])
	return time.Date(year, time.Month(month), day, 0, 0, 0, 0, zone), true
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
