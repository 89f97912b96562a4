package protocol

import "github.com/parleyd/parley/internal/rawjson"

// HealthParams are the params of health, which has no schema.
type HealthParams struct {
	Probe rawjson.Value `json:"probe,omitzero"` // only true has an effect
}

// UnmarshalJSON takes the members of an object; anything else has none.
func (p *HealthParams) UnmarshalJSON(data []byte) error {
	type plain HealthParams
	return unmarshalLenient(data, (*plain)(p))
}

// DoctorParams are the params of doctor.
type DoctorParams struct {
	Fix bool `json:"fix,omitzero"`
}

// LogsTailParams are the params of logs.tail.
type LogsTailParams struct {
	Cursor   *Int `json:"cursor,omitzero"`
	Limit    Int  `json:"limit,omitzero"`
	MaxBytes Int  `json:"maxBytes,omitzero"`
}

// SystemEventParams are the params of system-event, which has no schema: a
// value of another type than is wanted counts as absent, which only the method
// can judge, so all are raw.
type SystemEventParams struct {
	Text             rawjson.Value `json:"text,omitzero"`
	DeviceID         rawjson.Value `json:"deviceId,omitzero"`
	InstanceID       rawjson.Value `json:"instanceId,omitzero"`
	Host             rawjson.Value `json:"host,omitzero"`
	IP               rawjson.Value `json:"ip,omitzero"`
	Mode             rawjson.Value `json:"mode,omitzero"`
	Version          rawjson.Value `json:"version,omitzero"`
	Platform         rawjson.Value `json:"platform,omitzero"`
	DeviceFamily     rawjson.Value `json:"deviceFamily,omitzero"`
	ModelIdentifier  rawjson.Value `json:"modelIdentifier,omitzero"`
	LastInputSeconds rawjson.Value `json:"lastInputSeconds,omitzero"`
	Reason           rawjson.Value `json:"reason,omitzero"`
	Roles            rawjson.Value `json:"roles,omitzero"`
	Scopes           rawjson.Value `json:"scopes,omitzero"`
	Tags             rawjson.Value `json:"tags,omitzero"`
}

// UnmarshalJSON takes the members of an object; anything else has none.
func (p *SystemEventParams) UnmarshalJSON(data []byte) error {
	type plain SystemEventParams
	return unmarshalLenient(data, (*plain)(p))
}

// SetHeartbeatsParams are the params of set-heartbeats, which has no schema.
type SetHeartbeatsParams struct {
	Enabled rawjson.Value `json:"enabled,omitzero"`
}

// UnmarshalJSON takes the members of an object; anything else has none.
func (p *SetHeartbeatsParams) UnmarshalJSON(data []byte) error {
	type plain SetHeartbeatsParams
	return unmarshalLenient(data, (*plain)(p))
}

// DevicePairRequestParams are the params of device.pair.approve and
// device.pair.reject.
type DevicePairRequestParams struct {
	RequestID string `json:"requestId"`
}

// DevicePairRemoveParams are the params of device.pair.remove.
type DevicePairRemoveParams struct {
	DeviceID string `json:"deviceId"`
}

// DeviceTokenRotateParams are the params of device.token.rotate.
type DeviceTokenRotateParams struct {
	DeviceID string   `json:"deviceId"`
	Role     string   `json:"role"`
	Scopes   []string `json:"scopes,omitzero"` // nil when absent
}

// DeviceTokenRevokeParams are the params of device.token.revoke.
type DeviceTokenRevokeParams struct {
	DeviceID string `json:"deviceId"`
	Role     string `json:"role"`
}

// ConfigSetParams are the params of config.set.
type ConfigSetParams struct {
	Raw      string `json:"raw"`
	BaseHash string `json:"baseHash,omitzero"`
}

// ConfigApplyParams are the params of config.apply and config.patch.
type ConfigApplyParams struct {
	Raw            string `json:"raw"`
	BaseHash       string `json:"baseHash,omitzero"`
	SessionKey     string `json:"sessionKey,omitzero"`
	Note           string `json:"note,omitzero"`
	RestartDelayMs *Int   `json:"restartDelayMs,omitzero"`
}

// ConfigSchemaLookupParams are the params of config.schema.lookup.
type ConfigSchemaLookupParams struct {
	Path string `json:"path"`
}

// ChannelsStatusParams are the params of channels.status.
type ChannelsStatusParams struct {
	Probe     bool `json:"probe,omitzero"`
	TimeoutMs Int  `json:"timeoutMs,omitzero"`
}

// ExecApprovalResolveParams are the params of exec.approval.resolve.
type ExecApprovalResolveParams struct {
	ID       string `json:"id"`
	Decision string `json:"decision"`
}
