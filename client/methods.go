package client

import "encoding/json"

// None are the params of a method that takes none, and the result of one whose
// answer says nothing.
type None struct{}

// The methods of sessions.
const (
	SessionsList                Method[SessionsListParams, SessionsListResult]           = "sessions.list"
	SessionsDescribe            Method[SessionsDescribeParams, SessionsDescribeResult]   = "sessions.describe"
	SessionsResolve             Method[SessionsResolveParams, SessionsResolveResult]     = "sessions.resolve"
	SessionsPreview             Method[SessionsPreviewParams, SessionsPreviewResult]     = "sessions.preview"
	SessionsGet                 Method[SessionsGetParams, SessionsGetResult]             = "sessions.get"
	SessionsCreate              Method[SessionsCreateParams, SessionsCreateResult]       = "sessions.create"
	SessionsFork                Method[SessionsForkParams, SessionsForkResult]           = "sessions.fork"
	SessionsPatch               Method[SessionsPatchParams, SessionsPatchResult]         = "sessions.patch"
	SessionsPatchMany           Method[SessionsPatchManyParams, SessionsPatchManyResult] = "sessions.patchMany"
	SessionsReset               Method[SessionsResetParams, SessionsResetResult]         = "sessions.reset"
	SessionsDelete              Method[SessionsDeleteParams, SessionsDeleteResult]       = "sessions.delete"
	SessionsCompact             Method[SessionsCompactParams, SessionsCompactResult]     = "sessions.compact"
	SessionsArchives            Method[SessionsArchivesParams, SessionsArchivesResult]   = "sessions.archives"
	SessionsRestore             Method[SessionsRestoreParams, SessionsRestoreResult]     = "sessions.restore"
	SessionsSubscribe           Method[None, SubscribeResult]                            = "sessions.subscribe"
	SessionsUnsubscribe         Method[None, SubscribeResult]                            = "sessions.unsubscribe"
	SessionsMessagesSubscribe   Method[SessionKey, SubscribeResult]                      = "sessions.messages.subscribe"
	SessionsMessagesUnsubscribe Method[SessionKey, SubscribeResult]                      = "sessions.messages.unsubscribe"
)

// The methods of messages and runs.
const (
	ChatSend      Method[ChatSendParams, SendResult]               = "chat.send"
	ChatHistory   Method[ChatHistoryParams, ChatHistoryResult]     = "chat.history"
	ChatAbort     Method[ChatAbortParams, AbortResult]             = "chat.abort"
	ChatInject    Method[ChatInjectParams, ChatInjectResult]       = "chat.inject"
	SessionsSend  Method[SessionsSendParams, SendResult]           = "sessions.send"
	SessionsSteer Method[SessionsSendParams, SendResult]           = "sessions.steer"
	SessionsAbort Method[SessionsAbortParams, SessionsAbortResult] = "sessions.abort"
	AgentWait     Method[AgentWaitParams, AgentWaitResult]         = "agent.wait"
)

// The methods of devices. They need the scope operator.pairing.
const (
	DevicePairList    Method[None, DevicePairListResult]                       = "device.pair.list"
	DevicePairApprove Method[DevicePairRequestParams, DevicePairApproveResult] = "device.pair.approve"
	DevicePairReject  Method[DevicePairRequestParams, DevicePairRejectResult]  = "device.pair.reject"
	DevicePairRemove  Method[DevicePairRemoveParams, DevicePairRemoveResult]   = "device.pair.remove"
	DeviceTokenRotate Method[DeviceTokenRotateParams, DeviceTokenRotateResult] = "device.token.rotate"
	DeviceTokenRevoke Method[DeviceTokenParams, DeviceTokenRevokeResult]       = "device.token.revoke"
)

// The methods of the gateway itself.
const (
	AgentsList Method[None, AgentsListResult]     = "agents.list"
	ModelsList Method[None, ModelsListResult]     = "models.list"
	Health     Method[HealthParams, HealthResult] = "health"
	Status     Method[None, json.RawMessage]      = "status"
)
