package gateway

import (
	"context"
	"errors"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

const (
	usageLogsLimit     = 200
	usageLogsLimitMost = 1000
)

type usageTimeseriesResult struct {
	SessionID string             `json:"sessionId"`
	Points    []transcript.Point `json:"points"`
}

type usageLogsResult struct {
	Logs []transcript.LogLine `json:"logs"`
}

// sessionsUsageTimeseries gives the usage of one session answer by answer.
func (g *Gateway) sessionsUsageTimeseries(_ context.Context, _ *call, p protocol.SessionsUsageTimeseriesParams) (usageTimeseriesResult, error) {
	key := usageKey(p.Key)
	if key == "" {
		return usageTimeseriesResult{}, protocol.Invalidf("key is required for timeseries")
	}
	file, err := g.usageFile(key)
	if errors.Is(err, transcript.ErrNotFound) {
		return usageTimeseriesResult{}, protocol.Invalidf("No transcript found for session: %s", key)
	}
	if err != nil {
		return usageTimeseriesResult{}, err
	}
	points, err := g.transcripts.Series(file, g.prices)
	return usageTimeseriesResult{file.SessionID, points}, err
}

// sessionsUsageLogs gives the last messages of one session with their cost.
func (g *Gateway) sessionsUsageLogs(_ context.Context, _ *call, p protocol.SessionsUsageLogsParams) (usageLogsResult, error) {
	key := usageKey(p.Key)
	if key == "" {
		return usageLogsResult{}, protocol.Invalidf("key is required for logs")
	}
	file, err := g.usageFile(key)
	if errors.Is(err, transcript.ErrNotFound) {
		return usageLogsResult{}, nil
	}
	if err != nil {
		return usageLogsResult{}, err
	}
	logs, err := g.transcripts.Logs(file, g.prices, logsLimit(p.Limit))
	return usageLogsResult{logs}, err
}

// usageKey is the parameter key, which has no schema, trimmed; what is no text
// counts as absent.
func usageKey(v rawjson.Value) string {
	s, _ := rawjson.Text(v)
	return jstext.Trim(s)
}

// logsLimit is how many messages a log shows: none asked for means as many as
// there may be.
func logsLimit(v rawjson.Value) int {
	if n, ok := rawjson.Number(v); ok && n < 1 {
		return usageLogsLimitMost
	}
	return looseCount(v, usageLogsLimit, usageLogsLimitMost)
}

// usageFile is the transcript of the session that a client's key means; of an
// unknown session the file of the id that stands in the place of the key.
func (g *Gateway) usageFile(key string) (transcript.UsageFile, error) {
	found, ok, err := g.stores.Lookup(key)
	if err != nil {
		return transcript.UsageFile{}, err
	}
	ref := runs.Ref(found.Store, found.Key, found.Entry)
	if !ok || ref.SessionID == "" {
		ref = transcript.Ref{Dir: found.Store.Dir(), Agent: found.Store.Agent(), SessionID: key}
		if _, rest, ok := sessions.ParseKey(key); ok {
			ref.SessionID = rest
		}
	}
	file, err := g.transcripts.UsageFile(ref)
	if errors.Is(err, transcript.ErrBadID) {
		return file, protocol.Invalidf("Invalid session key: %s", key)
	}
	return file, err
}
