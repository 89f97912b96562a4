package protocol

import "github.com/parleyd/parley/internal/rawjson"

// The params of each method, named after it. A field has its zero value when
// the member is absent; where absence must be told from a value that is
// allowed, the field is a pointer, an Opt or a raw value. A test holds each
// struct against the method's schema.

// NoParams are the params of a method that takes none, or ignores them.
type NoParams struct{}

// UnmarshalJSON accepts anything: the schema has judged it already, and the
// methods without a schema ignore what they get.
func (*NoParams) UnmarshalJSON([]byte) error { return nil }

// SessionsListParams are the params of sessions.list.
type SessionsListParams struct {
	Limit                Int    `json:"limit,omitzero"`
	Offset               *Int   `json:"offset,omitzero"`
	ActiveMinutes        Int    `json:"activeMinutes,omitzero"`
	IncludeGlobal        bool   `json:"includeGlobal,omitzero"`
	IncludeUnknown       bool   `json:"includeUnknown,omitzero"`
	IncludeDerivedTitles bool   `json:"includeDerivedTitles,omitzero"`
	IncludeLastMessage   bool   `json:"includeLastMessage,omitzero"`
	Label                string `json:"label,omitzero"`
	SpawnedBy            string `json:"spawnedBy,omitzero"`
	AgentID              string `json:"agentId,omitzero"`
	Search               string `json:"search,omitzero"`
}

// SessionsResolveParams are the params of sessions.resolve.
type SessionsResolveParams struct {
	Key            string `json:"key,omitzero"`
	SessionID      string `json:"sessionId,omitzero"`
	Label          string `json:"label,omitzero"`
	AgentID        string `json:"agentId,omitzero"`
	SpawnedBy      string `json:"spawnedBy,omitzero"`
	IncludeGlobal  bool   `json:"includeGlobal,omitzero"`
	IncludeUnknown bool   `json:"includeUnknown,omitzero"`
}

// SessionsPreviewParams are the params of sessions.preview.
type SessionsPreviewParams struct {
	Keys     []string `json:"keys"`
	Limit    Int      `json:"limit,omitzero"`
	MaxChars Int      `json:"maxChars,omitzero"`
}

// SessionsGetParams are the params of sessions.get, which has no schema: the
// method judges each raw value.
type SessionsGetParams struct {
	Key        rawjson.Value `json:"key,omitzero"`
	SessionKey rawjson.Value `json:"sessionKey,omitzero"`
	Limit      rawjson.Value `json:"limit,omitzero"`
}

// UnmarshalJSON takes the members of an object; anything else has none.
func (p *SessionsGetParams) UnmarshalJSON(data []byte) error {
	type plain SessionsGetParams
	return unmarshalLenient(data, (*plain)(p))
}

// SessionsPatchParams are the params of sessions.patch.
type SessionsPatchParams struct {
	Key               string `json:"key"`
	ExpectedSessionID string `json:"expectedSessionId,omitzero"`
	SessionChanges
}

// SessionChanges are the fields of a session that sessions.patch and
// sessions.patchMany change: absent ones stay, null mostly removes.
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
	SpawnDepth           Opt[Int]    `json:"spawnDepth,omitzero"`
	SubagentRole         Opt[string] `json:"subagentRole,omitzero"`
	SubagentControlScope Opt[string] `json:"subagentControlScope,omitzero"`
	SendPolicy           Opt[string] `json:"sendPolicy,omitzero"`
	GroupActivation      Opt[string] `json:"groupActivation,omitzero"`
}

// SessionsPatchManyParams are the params of sessions.patchMany: one patch for
// several sessions.
type SessionsPatchManyParams struct {
	Targets []PatchTarget  `json:"targets"`
	Patch   SessionChanges `json:"patch"`
}

// PatchTarget is one session of sessions.patchMany.
type PatchTarget struct {
	Key               string `json:"key"`
	ExpectedSessionID string `json:"expectedSessionId,omitzero"`
}

// SessionsDescribeParams are the params of sessions.describe.
type SessionsDescribeParams struct {
	Key                  string `json:"key"`
	IncludeDerivedTitles bool   `json:"includeDerivedTitles,omitzero"`
	IncludeLastMessage   bool   `json:"includeLastMessage,omitzero"`
}

// SessionsCreateParams are the params of sessions.create.
type SessionsCreateParams struct {
	Key              string `json:"key,omitzero"`
	AgentID          string `json:"agentId,omitzero"`
	Label            string `json:"label,omitzero"`
	Model            string `json:"model,omitzero"`
	ParentSessionKey string `json:"parentSessionKey,omitzero"`
	Task             string `json:"task,omitzero"`
	Message          string `json:"message,omitzero"`
}

// SessionsResetParams are the params of sessions.reset.
type SessionsResetParams struct {
	Key               string `json:"key"`
	Reason            string `json:"reason,omitzero"`
	ExpectedSessionID string `json:"expectedSessionId,omitzero"`
}

// SessionsDeleteParams are the params of sessions.delete.
type SessionsDeleteParams struct {
	Key                string `json:"key"`
	DeleteTranscript   *bool  `json:"deleteTranscript,omitzero"` // nil counts as true
	EmitLifecycleHooks *bool  `json:"emitLifecycleHooks,omitzero"`
	ExpectedSessionID  string `json:"expectedSessionId,omitzero"`
}

// SessionsArchivesParams are the params of sessions.archives.
type SessionsArchivesParams struct {
	Key     string `json:"key,omitzero"`
	AgentID string `json:"agentId,omitzero"`
	Limit   Int    `json:"limit,omitzero"`
	Offset  Int    `json:"offset,omitzero"`
}

// SessionsRestoreParams are the params of sessions.restore.
type SessionsRestoreParams struct {
	Archive           string `json:"archive"`
	Key               string `json:"key,omitzero"`
	ExpectedSessionID string `json:"expectedSessionId,omitzero"`
}

// SessionsForkParams are the params of sessions.fork.
type SessionsForkParams struct {
	SessionKey string `json:"sessionKey"`
	EntryID    string `json:"entryId,omitzero"`
	Label      string `json:"label,omitzero"`
}

// SessionsExportParams are the params of sessions.export.
type SessionsExportParams struct {
	Key    string `json:"key"`
	Offset Int    `json:"offset,omitzero"`
	Limit  Int    `json:"limit,omitzero"`
	Stamp  string `json:"stamp,omitzero"`
}

// SessionsImportParams are the params of sessions.import.
type SessionsImportParams struct {
	Key    string        `json:"key"`
	Entry  rawjson.Value `json:"entry"`
	Upload string        `json:"upload,omitzero"`
	Size   Int           `json:"size,omitzero"`
	Force  bool          `json:"force,omitzero"`
}

// SessionsImportPartParams are the params of sessions.import.part.
type SessionsImportPartParams struct {
	Key    string `json:"key"`
	Upload string `json:"upload"`
	Offset Int    `json:"offset"`
	Data   string `json:"data"`
}

// SessionsCleanupParams are the params of sessions.cleanup.
type SessionsCleanupParams struct {
	Agent      string `json:"agent,omitzero"`
	AllAgents  bool   `json:"allAgents,omitzero"`
	Store      string `json:"store,omitzero"`
	DryRun     bool   `json:"dryRun,omitzero"`
	Enforce    bool   `json:"enforce,omitzero"`
	FixMissing bool   `json:"fixMissing,omitzero"`
	ActiveKey  string `json:"activeKey,omitzero"`
	Actions    bool   `json:"actions,omitzero"`
}

// SessionsCompactParams are the params of sessions.compact.
type SessionsCompactParams struct {
	Key      string `json:"key"`
	MaxLines Int    `json:"maxLines,omitzero"`
}

// SessionKeyParams are the params of the methods that only name a session:
// sessions.messages.subscribe and sessions.messages.unsubscribe.
type SessionKeyParams struct {
	Key string `json:"key"`
}

// SessionsSendParams are the params of sessions.send and sessions.steer.
type SessionsSendParams struct {
	Key            string          `json:"key"`
	Message        string          `json:"message"`
	Thinking       *string         `json:"thinking,omitzero"`
	Attachments    []rawjson.Value `json:"attachments,omitzero"`
	TimeoutMs      *Int            `json:"timeoutMs,omitzero"`
	IdempotencyKey string          `json:"idempotencyKey,omitzero"`
}

// SessionsAbortParams are the params of sessions.abort.
type SessionsAbortParams struct {
	Key   string `json:"key"`
	RunID string `json:"runId,omitzero"`
}

// SessionsUsageParams are the params of sessions.usage.
type SessionsUsageParams struct {
	Key                  string `json:"key,omitzero"`
	StartDate            string `json:"startDate,omitzero"`
	EndDate              string `json:"endDate,omitzero"`
	Mode                 string `json:"mode,omitzero"`
	UTCOffset            string `json:"utcOffset,omitzero"`
	Limit                Int    `json:"limit,omitzero"`
	IncludeContextWeight bool   `json:"includeContextWeight,omitzero"`
}

// SessionsUsageLogsParams are the params of sessions.usage.logs, which has no
// schema: the method judges each raw value.
type SessionsUsageLogsParams struct {
	Key   rawjson.Value `json:"key,omitzero"`
	Limit rawjson.Value `json:"limit,omitzero"`
}

// UnmarshalJSON takes the members of an object; anything else has none.
func (p *SessionsUsageLogsParams) UnmarshalJSON(data []byte) error {
	type plain SessionsUsageLogsParams
	return unmarshalLenient(data, (*plain)(p))
}

// SessionsUsageTimeseriesParams are the params of sessions.usage.timeseries,
// which has no schema: the method judges the raw value.
type SessionsUsageTimeseriesParams struct {
	Key rawjson.Value `json:"key,omitzero"`
}

// UnmarshalJSON takes the members of an object; anything else has none.
func (p *SessionsUsageTimeseriesParams) UnmarshalJSON(data []byte) error {
	type plain SessionsUsageTimeseriesParams
	return unmarshalLenient(data, (*plain)(p))
}

// unmarshalLenient reads an object and takes anything else for an empty one.
func unmarshalLenient(data []byte, into any) error {
	if rawjson.Kind(data) != '{' {
		return nil
	}
	return rawjson.Unmarshal(data, into)
}
