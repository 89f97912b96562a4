package runs

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/model"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/transcript"
)

type textBlock struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type thinkingBlock struct {
	Type      string `json:"type"`
	Thinking  string `json:"thinking"`
	Signature string `json:"thinkingSignature,omitzero"`
}

type userMessage struct {
	Role       string      `json:"role"`
	Content    []textBlock `json:"content"`
	Timestamp  int64       `json:"timestamp"`
	MediaPath  string      `json:"MediaPath,omitzero"`
	MediaPaths []string    `json:"MediaPaths,omitzero"`
	MediaType  string      `json:"MediaType,omitzero"`
	MediaTypes []string    `json:"MediaTypes,omitzero"`
}

type assistantMessage struct {
	Role         string  `json:"role"`
	Content      []any   `json:"content"`
	API          string  `json:"api"`
	Provider     string  `json:"provider"`
	Model        string  `json:"model"`
	Usage        tokens  `json:"usage"`
	StopReason   string  `json:"stopReason"`
	Timestamp    int64   `json:"timestamp"`
	ResponseID   string  `json:"responseId,omitzero"`
	ErrorMessage *string `json:"errorMessage,omitzero"`
}

// tokens is a message's usage as transcripts have it.
type tokens struct {
	Input       int64   `json:"input"`
	Output      int64   `json:"output"`
	CacheRead   int64   `json:"cacheRead"`
	CacheWrite  int64   `json:"cacheWrite"`
	TotalTokens int64   `json:"totalTokens"`
	Cost        dollars `json:"cost"`
}

type dollars struct {
	Input      float64 `json:"input"`
	Output     float64 `json:"output"`
	CacheRead  float64 `json:"cacheRead"`
	CacheWrite float64 `json:"cacheWrite"`
	Total      float64 `json:"total"`
}

// costOf is the price of u; prices are per million tokens.
func costOf(u model.Usage, price config.Cost) dollars {
	const million = 1e6
	d := dollars{
		Input:      float64(u.Input) * price.Input / million,
		Output:     float64(u.Output) * price.Output / million,
		CacheRead:  float64(u.CacheRead) * price.CacheRead / million,
		CacheWrite: float64(u.CacheWrite) * price.CacheWrite / million,
	}
	d.Total = d.Input + d.Output + d.CacheRead + d.CacheWrite
	return d
}

// newLineID is the id of a transcript line that is chosen before it is written.
func newLineID() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// answerID is the id of the answer's line, as events name it before there is a
// line. It follows from that of the user's line, which the journal has: so a
// partial answer that is saved after a crash has the id that was told.
func (r *run) answerID() string {
	user, err := strconv.ParseUint(r.lineID, 16, 32)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%08x", user^answerBits)
}

const answerBits = 0x5ca1ab1e

func messageLine(id string, at time.Time, message any, more ...rawjson.Member) transcript.Line {
	fields := rawjson.NewObject(append([]rawjson.Member{{Name: "message", Value: rawjson.MustMarshal(message)}}, more...)...)
	return transcript.Line{Type: "message", ID: id, At: at, Fields: fields}
}

// userLine is the line of the turn's message.
func (t Turn) userLine(id string, now time.Time) transcript.Line {
	m := userMessage{Role: "user", Content: []textBlock{{"text", t.Message}}, Timestamp: now.UnixMilli()}
	for _, media := range t.Media {
		if media.Path != "" { // it could not be stored
			m.MediaPaths = append(m.MediaPaths, media.Path)
			m.MediaTypes = append(m.MediaTypes, media.MIME)
		}
	}
	if len(m.MediaPaths) > 0 {
		m.MediaPath, m.MediaType = m.MediaPaths[0], m.MediaTypes[0]
	}
	return messageLine(id, now, m)
}

type modelSnapshot struct {
	Timestamp int64  `json:"timestamp"`
	Provider  string `json:"provider"`
	ModelAPI  string `json:"modelApi"`
	ModelID   string `json:"modelId"`
}

// modelLines are the lines that tell which model answers from here on: none
// when that is known.
func (r *run) modelLines(now time.Time) ([]transcript.Line, error) {
	provider, api, name, told := r.e.o.Transcripts.LastModel(r.ref)
	if told && provider == r.spoken.Provider && name == r.spoken.Model && api == r.api {
		return nil, nil
	}
	line := func(kind string, members ...rawjson.Member) transcript.Line {
		return transcript.Line{Type: kind, At: now, Fields: rawjson.NewObject(members...)}
	}
	text := func(name, value string) rawjson.Member {
		return rawjson.Member{Name: name, Value: rawjson.MustMarshal(value)}
	}
	var lines []transcript.Line
	if !told {
		n, err := r.e.o.Transcripts.Count(r.ref)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			lines = append(lines, line("model_change", text("provider", r.spoken.Provider), text("modelId", r.spoken.Model)))
		}
		lines = append(lines, line("thinking_level_change", text("thinkingLevel", "off")))
	}
	snapshot := modelSnapshot{now.UnixMilli(), r.spoken.Provider, r.api, r.spoken.Model}
	return append(lines, line("custom", text("customType", "model-snapshot"),
		rawjson.Member{Name: "data", Value: rawjson.MustMarshal(snapshot)})), nil
}

// answerLine is the line of what the model said.
func (r *run) answerLine(stop string, u *model.Usage, fault *string) transcript.Line {
	a := &r.voice.said
	m := assistantMessage{
		Role: "assistant", API: r.api, Provider: r.spoken.Provider, Model: r.spoken.Model,
		StopReason: stop, Timestamp: r.asked.UnixMilli(), ResponseID: a.id, ErrorMessage: fault,
	}
	if r.asked.IsZero() {
		m.Timestamp = r.startedAt
	}
	if a.thinking.Len() > 0 {
		m.Content = append(m.Content, thinkingBlock{"thinking", a.thinking.String(), a.signature})
	}
	if a.whole.Len() > 0 {
		m.Content = append(m.Content, textBlock{"text", a.whole.String()})
	}
	m.Usage = r.tokensOf(u)
	return messageLine(r.answerID(), time.Now(), m)
}

// tokensOf is a usage as transcripts have it; nothing is known where u is nil.
func (r *run) tokensOf(u *model.Usage) tokens {
	if u == nil {
		return tokens{}
	}
	price, _ := r.e.cfg().Cost(r.spoken)
	return tokens{u.Input, u.Output, u.CacheRead, u.CacheWrite, u.Total(), costOf(*u, price)}
}

// ownMessage is a message of the gateway itself: an injected note, the answer
// to a command, the saved text of an aborted run.
type ownMessage struct {
	Role           string      `json:"role"`
	Content        []textBlock `json:"content"`
	Timestamp      int64       `json:"timestamp"`
	StopReason     string      `json:"stopReason"`
	Usage          tokens      `json:"usage"`
	API            string      `json:"api"`
	Provider       string      `json:"provider"`
	Model          string      `json:"model"`
	IdempotencyKey string      `json:"idempotencyKey,omitzero"`
	Abort          *abortNote  `json:"openclawAbort,omitzero"`
}

type abortNote struct {
	Aborted bool   `json:"aborted"`
	Origin  string `json:"origin"`
	RunID   string `json:"runId"`
}

func ownText(text string, now time.Time) ownMessage {
	return ownMessage{
		Role: "assistant", Content: []textBlock{{"text", text}}, Timestamp: now.UnixMilli(), StopReason: "stop",
		API: "openai-responses", Provider: "openclaw", Model: "gateway-injected",
	}
}

// OwnLine is the transcript line of a message that the gateway itself puts
// into a session.
func OwnLine(text string, now time.Time) transcript.Line {
	return messageLine("", now, ownText(text, now))
}

type answeredBy struct {
	Provider string `json:"provider"`
	Model    string `json:"model"`
}

// partialLine is the line of the text that an aborted run had said. The message
// has the form that clients know; which model it was stands beside it.
func (r *run) partialLine(text, origin string, now time.Time) transcript.Line {
	m := ownText(text, now)
	m.IdempotencyKey = partialKey(r.turn.RunID)
	m.Abort = &abortNote{Aborted: true, Origin: origin, RunID: r.turn.RunID}
	return messageLine(r.answerID(), now, m, rawjson.Member{Name: "run", Value: rawjson.MustMarshal(answeredBy(r.spoken))})
}

func partialKey(runID string) string { return runID + ":assistant" }
