package client

import "encoding/json"

// The methods that carry sessions from one gateway to another. OpenClaw has
// none of them.
const (
	SessionsExport     Method[SessionsExportParams, SessionsExportResult]         = "sessions.export"
	SessionsImport     Method[SessionsImportParams, SessionsImportResult]         = "sessions.import"
	SessionsImportPart Method[SessionsImportPartParams, SessionsImportPartResult] = "sessions.import.part"
)

// SessionsExportParams ask for a session and a part of its transcript.
type SessionsExportParams struct {
	Key    string `json:"key"`
	Offset int64  `json:"offset,omitzero"`
	Limit  int64  `json:"limit,omitzero"` // 4 MiB when it is zero, 8 MiB at most
	Stamp  string `json:"stamp,omitzero"` // of the part before
}

// SessionsExportResult is a session as it is stored.
type SessionsExportResult struct {
	Key        string          `json:"key"`
	AgentID    string          `json:"agentId"`
	Entry      json.RawMessage `json:"entry"`
	Transcript *TranscriptPart `json:"transcript"` // nil when there is none
}

// TranscriptPart is a part of a transcript, byte by byte. The parts up to the
// one without a NextOffset make the whole, if they have the same Stamp.
type TranscriptPart struct {
	Size       int64  `json:"size"` // of the whole
	Stamp      string `json:"stamp"`
	Offset     int64  `json:"offset"`
	Data       []byte `json:"data"`
	NextOffset *int64 `json:"nextOffset"`
}

// SessionsImportParams are a session to take in.
type SessionsImportParams struct {
	Key    string          `json:"key"`
	Entry  json.RawMessage `json:"entry"`
	Upload string          `json:"upload,omitzero"` // of its transcript, see SessionsImportPart; empty for none
	Size   int64           `json:"size,omitzero"`   // of the transcript
	Force  bool            `json:"force,omitzero"`  // set aside what is in the way
}

// SessionsImportResult is the result of SessionsImport.
type SessionsImportResult struct {
	OK         bool            `json:"ok"`
	Key        string          `json:"key"`
	SessionID  string          `json:"sessionId"`
	Entry      json.RawMessage `json:"entry"`
	Transcript string          `json:"transcript,omitzero"`
	Archived   []string        `json:"archived"`
	LabelTaken string          `json:"labelTaken,omitzero"`
}

// SessionsImportPartParams are a part of a transcript. Upload is a name that the
// caller makes up, 8 to 64 small letters, digits and -.
type SessionsImportPartParams struct {
	Key    string `json:"key"`
	Upload string `json:"upload"`
	Offset int64  `json:"offset"` // how much came before
	Data   []byte `json:"data"`
}

// SessionsImportPartResult says how much is there by now.
type SessionsImportPartResult struct {
	Size int64 `json:"size"`
}
