package client

// Device is a device that was let in.
type Device struct {
	DeviceID     string        `json:"deviceId"`
	PublicKey    string        `json:"publicKey"`
	DisplayName  string        `json:"displayName"`
	Platform     string        `json:"platform"`
	DeviceFamily string        `json:"deviceFamily"`
	ClientID     string        `json:"clientId"`
	ClientMode   string        `json:"clientMode"`
	Role         string        `json:"role"`
	Roles        []string      `json:"roles"`
	Scopes       []string      `json:"scopes"`
	RemoteIP     string        `json:"remoteIp"`
	Tokens       []DeviceToken `json:"tokens"`
	CreatedAtMs  int64         `json:"createdAtMs"`
	ApprovedAtMs int64         `json:"approvedAtMs"`
}

// DeviceToken is what is told of a device's token for a role.
type DeviceToken struct {
	Role         string   `json:"role"`
	Scopes       []string `json:"scopes"`
	CreatedAtMs  int64    `json:"createdAtMs"`
	RotatedAtMs  int64    `json:"rotatedAtMs"`
	RevokedAtMs  int64    `json:"revokedAtMs"`
	LastUsedAtMs int64    `json:"lastUsedAtMs"`
}

// PairRequest is a device that waits to be let in.
type PairRequest struct {
	RequestID    string   `json:"requestId"`
	DeviceID     string   `json:"deviceId"`
	PublicKey    string   `json:"publicKey"`
	DisplayName  string   `json:"displayName"`
	Platform     string   `json:"platform"`
	DeviceFamily string   `json:"deviceFamily"`
	ClientID     string   `json:"clientId"`
	ClientMode   string   `json:"clientMode"`
	Role         string   `json:"role"`
	Roles        []string `json:"roles"`
	Scopes       []string `json:"scopes"`
	RemoteIP     string   `json:"remoteIp"`
	Silent       bool     `json:"silent"`
	IsRepair     bool     `json:"isRepair"`
	TS           int64    `json:"ts"`
}

// DevicePairListResult lists devices, those that wait and those that were let in.
type DevicePairListResult struct {
	Pending []PairRequest `json:"pending"`
	Paired  []Device      `json:"paired"`
}

// DevicePairRequestParams name the request of a device.
type DevicePairRequestParams struct {
	RequestID string `json:"requestId"`
}

// DevicePairApproveResult is the result of DevicePairApprove.
type DevicePairApproveResult struct {
	RequestID string `json:"requestId"`
	Device    Device `json:"device"`
}

// DevicePairRejectResult is the result of DevicePairReject.
type DevicePairRejectResult struct {
	RequestID string `json:"requestId"`
	DeviceID  string `json:"deviceId"`
}

// DevicePairRemoveParams name a device to forget.
type DevicePairRemoveParams struct {
	DeviceID string `json:"deviceId"`
}

// DevicePairRemoveResult is the result of DevicePairRemove.
type DevicePairRemoveResult struct {
	DeviceID string `json:"deviceId"`
}

// DeviceTokenParams name the token of a device for a role.
type DeviceTokenParams struct {
	DeviceID string `json:"deviceId"`
	Role     string `json:"role"`
}

// DeviceTokenRotateParams name the token of a device for a role, and the scopes
// of the one in its place; nil leaves them.
type DeviceTokenRotateParams struct {
	DeviceID string   `json:"deviceId"`
	Role     string   `json:"role"`
	Scopes   []string `json:"scopes,omitzero"`
}

// DeviceTokenRotateResult has the new token.
type DeviceTokenRotateResult struct {
	DeviceID    string   `json:"deviceId"`
	Role        string   `json:"role"`
	Token       string   `json:"token"`
	Scopes      []string `json:"scopes"`
	RotatedAtMs int64    `json:"rotatedAtMs"`
}

// DeviceTokenRevokeResult is the result of DeviceTokenRevoke.
type DeviceTokenRevokeResult struct {
	DeviceID    string `json:"deviceId"`
	Role        string `json:"role"`
	RevokedAtMs int64  `json:"revokedAtMs"`
}
