package client

import (
	"encoding/json"

	"github.com/parleyd/parley/internal/rawjson"
)

// Opt is a field of a change: absent (the zero Opt), null, which mostly removes
// what is there, or a value.
type Opt[T any] struct {
	Value T
	Set   bool // it is not absent
	Null  bool // it is null
}

// Some is an Opt with a value.
func Some[T any](v T) Opt[T] { return Opt[T]{Value: v, Set: true} }

// Null is an Opt that is null.
func Null[T any]() Opt[T] { return Opt[T]{Set: true, Null: true} }

// IsZero reports whether it is absent.
func (o Opt[T]) IsZero() bool { return !o.Set }

// MarshalJSON writes null or the value.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	if o.Null || !o.Set {
		return []byte("null"), nil
	}
	return rawjson.Marshal(o.Value)
}

// SessionsCreateParams say what session to make; all are optional.
type SessionsCreateParams struct {
	Key              string `json:"key,omitzero"`
	AgentID          string `json:"agentId,omitzero"`
	Label            string `json:"label,omitzero"`
	Model            string `json:"model,omitzero"`
	ParentSessionKey string `json:"parentSessionKey,omitzero"`
	Task             string `json:"task,omitzero"`
	Message          string `json:"message,omitzero"`
}

// SessionsCreateResult is the result of SessionsCreate. With a message RunID and
// Status are those of its run, RunError why there is none.
type SessionsCreateResult struct {
	OK         bool            `json:"ok"`
	Key        string          `json:"key"`
	SessionID  string          `json:"sessionId"`
	Entry      json.RawMessage `json:"entry"`
	RunStarted bool            `json:"runStarted"`
	RunID      string          `json:"runId,omitzero"`
	Status     string          `json:"status,omitzero"`
	MessageSeq int             `json:"messageSeq,omitzero"`
	RunError   *Error          `json:"runError,omitzero"`
}

// SessionsForkParams say what to copy for SessionsFork.
type SessionsForkParams struct {
	SessionKey string `json:"sessionKey"`
	EntryID    string `json:"entryId,omitzero"` // the message with which the copy ends
	Label      string `json:"label,omitzero"`
}

// SessionsForkResult is the result of SessionsFork.
type SessionsForkResult struct {
	OK         bool            `json:"ok"`
	Key        string          `json:"key"`
	SessionKey string          `json:"sessionKey"` // the same
	SessionID  string          `json:"sessionId"`
	Entry      json.RawMessage `json:"entry"`
}

// SessionsPatchParams change a session.
type SessionsPatchParams struct {
	Key               string `json:"key"`
	ExpectedSessionID string `json:"expectedSessionId,omitzero"`
	SessionChanges
}

// SessionChanges are the fields that can be changed; absent ones stay.
type SessionChanges struct {
	Label                Opt[string] `json:"label,omitzero"`
	ThinkingLevel        Opt[string] `json:"thinkingLevel,omitzero"`
	FastMode             Opt[bool]   `json:"fastMode,omitzero"`
	VerboseLevel         Opt[string] `json:"verboseLevel,omitzero"`
	ReasoningLevel       Opt[string] `json:"reasoningLevel,omitzero"`
	ResponseUsage        Opt[string] `json:"responseUsage,omitzero"`
	ElevatedLevel        Opt[string] `json:"elevatedLevel,omitzero"`
	ExecHost             Opt[string] `json:"execHost,omitzero"`
	ExecSecurity         Opt[string] `json:"execSecurity,omitzero"`
	ExecAsk              Opt[string] `json:"execAsk,omitzero"`
	ExecNode             Opt[string] `json:"execNode,omitzero"`
	Model                Opt[string] `json:"model,omitzero"`
	SpawnedBy            Opt[string] `json:"spawnedBy,omitzero"`
	SpawnedWorkspaceDir  Opt[string] `json:"spawnedWorkspaceDir,omitzero"`
	SpawnDepth           Opt[int]    `json:"spawnDepth,omitzero"`
	SubagentRole         Opt[string] `json:"subagentRole,omitzero"`
	SubagentControlScope Opt[string] `json:"subagentControlScope,omitzero"`
	SendPolicy           Opt[string] `json:"sendPolicy,omitzero"`
	GroupActivation      Opt[string] `json:"groupActivation,omitzero"`
}

// SessionsPatchResult is the result of SessionsPatch.
type SessionsPatchResult struct {
	OK       bool            `json:"ok"`
	Path     string          `json:"path"`
	Key      string          `json:"key"`
	Entry    json.RawMessage `json:"entry"`
	Resolved ModelRef        `json:"resolved"`
}

// ModelRef names a model.
type ModelRef struct {
	ModelProvider string `json:"modelProvider"`
	Model         string `json:"model"`
}

// SessionsPatchManyParams change several sessions in the same way.
type SessionsPatchManyParams struct {
	Targets []PatchTarget  `json:"targets"`
	Patch   SessionChanges `json:"patch"`
}

// PatchTarget is one session of SessionsPatchMany.
type PatchTarget struct {
	Key               string `json:"key"`
	ExpectedSessionID string `json:"expectedSessionId,omitzero"`
}

// SessionsPatchManyResult has an outcome for each target, in order.
type SessionsPatchManyResult struct {
	Outcomes []PatchOutcome `json:"outcomes"`
}

// PatchOutcome is how one target went.
type PatchOutcome struct {
	OK    bool   `json:"ok"`
	Key   string `json:"key"`
	Error *Error `json:"error,omitzero"`
}

// SessionsResetParams let a session start over.
type SessionsResetParams struct {
	Key               string `json:"key"`
	Reason            string `json:"reason,omitzero"` // new or reset
	ExpectedSessionID string `json:"expectedSessionId,omitzero"`
}

// SessionsResetResult is the result of SessionsReset.
type SessionsResetResult struct {
	OK    bool            `json:"ok"`
	Key   string          `json:"key"`
	Entry json.RawMessage `json:"entry"`
}

// SessionsDeleteParams remove a session.
type SessionsDeleteParams struct {
	Key                string `json:"key"`
	DeleteTranscript   *bool  `json:"deleteTranscript,omitzero"` // set it aside; nil counts as true
	EmitLifecycleHooks *bool  `json:"emitLifecycleHooks,omitzero"`
	ExpectedSessionID  string `json:"expectedSessionId,omitzero"`
}

// SessionsDeleteResult is the result of SessionsDelete.
type SessionsDeleteResult struct {
	OK       bool     `json:"ok"`
	Key      string   `json:"key"`
	Deleted  bool     `json:"deleted"`  // it was there
	Archived []string `json:"archived"` // where its transcripts are now
}

// SessionsCompactParams shorten a transcript to its last lines.
type SessionsCompactParams struct {
	Key      string `json:"key"`
	MaxLines int    `json:"maxLines,omitzero"` // 400 when it is zero
}

// SessionsCompactResult is the result of SessionsCompact.
type SessionsCompactResult struct {
	OK        bool   `json:"ok"`
	Key       string `json:"key"`
	Compacted bool   `json:"compacted"`
	Reason    string `json:"reason,omitzero"` // why not
	Archived  string `json:"archived,omitzero"`
	Kept      int    `json:"kept,omitzero"`
}

// SessionsArchivesParams filter and page SessionsArchives.
type SessionsArchivesParams struct {
	Key     string `json:"key,omitzero"`
	AgentID string `json:"agentId,omitzero"`
	Limit   int    `json:"limit,omitzero"` // 50 when it is zero
	Offset  int    `json:"offset,omitzero"`
}

// SessionsArchivesResult lists archives, the newest first.
type SessionsArchivesResult struct {
	TS         int64     `json:"ts"`
	Count      int       `json:"count"`
	Archives   []Archive `json:"archives"`
	TotalCount int       `json:"totalCount"`
	HasMore    bool      `json:"hasMore"`
	NextOffset *int      `json:"nextOffset"`
}

// Archive is a transcript that was set aside.
type Archive struct {
	Archive     string `json:"archive"` // its path
	AgentID     string `json:"agentId"`
	Key         string `json:"key,omitzero"`
	SessionID   string `json:"sessionId,omitzero"`
	Reason      string `json:"reason"` // reset or deleted
	ArchivedAt  int64  `json:"archivedAt"`
	Size        int64  `json:"size"`
	Label       string `json:"label,omitzero"`
	DisplayName string `json:"displayName,omitzero"`
	Title       string `json:"title,omitzero"`
}

// SessionsRestoreParams name an archive, by its path or its name.
type SessionsRestoreParams struct {
	Archive           string `json:"archive"`
	Key               string `json:"key,omitzero"`
	ExpectedSessionID string `json:"expectedSessionId,omitzero"`
}

// SessionsRestoreResult is the result of SessionsRestore.
type SessionsRestoreResult struct {
	OK         bool            `json:"ok"`
	Key        string          `json:"key"`
	SessionID  string          `json:"sessionId"`
	Entry      json.RawMessage `json:"entry"`
	Transcript string          `json:"transcript"`
	Archived   []string        `json:"archived"`
	LabelTaken string          `json:"labelTaken,omitzero"`
}
