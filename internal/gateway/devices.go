package gateway

import (
	"context"

	"github.com/coder/websocket"
	"github.com/parleyd/parley/internal/auth"
	"github.com/parleyd/parley/internal/hub"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// The close reasons of connections whose device may no longer come in.
const (
	deviceRemoved = "device removed"
	tokenRevoked  = "token revoked"
)

type devicePairListResult struct {
	Pending []rawjson.Value `json:"pending"`
	Paired  []rawjson.Value `json:"paired"`
}

func (g *Gateway) devicePairList(context.Context, *call, struct{}) (r devicePairListResult, err error) {
	r.Pending, r.Paired, err = g.gate.devices.List()
	return r, err
}

type devicePairApproveResult struct {
	RequestID string        `json:"requestId"`
	Device    rawjson.Value `json:"device"`
}

// devicePairApprove tells of the approval before it answers.
func (g *Gateway) devicePairApprove(_ context.Context, c *call, p protocol.DevicePairRequestParams) (devicePairApproveResult, error) {
	device, done, err := g.gate.devices.Approve(p.RequestID, c.conn.scopes.Names())
	if err != nil {
		return devicePairApproveResult{}, err
	}
	g.log.Info("device approved", "conn", c.conn.id, "device", done.DeviceID)
	g.publishResolved(done)
	return devicePairApproveResult{RequestID: done.RequestID, Device: device}, nil
}

type devicePairRejectResult struct {
	RequestID string `json:"requestId"`
	DeviceID  string `json:"deviceId"`
}

// devicePairReject tells of the rejection before it answers.
func (g *Gateway) devicePairReject(_ context.Context, c *call, p protocol.DevicePairRequestParams) (devicePairRejectResult, error) {
	done, err := g.gate.devices.Reject(p.RequestID)
	if err != nil {
		return devicePairRejectResult{}, err
	}
	g.log.Info("device rejected", "conn", c.conn.id, "device", done.DeviceID)
	g.publishResolved(done)
	return devicePairRejectResult{RequestID: done.RequestID, DeviceID: done.DeviceID}, nil
}

type devicePairRemoveResult struct {
	DeviceID string `json:"deviceId"`
}

// devicePairRemove forgets a device and ends its connections.
func (g *Gateway) devicePairRemove(_ context.Context, c *call, p protocol.DevicePairRemoveParams) (devicePairRemoveResult, error) {
	id, err := g.gate.devices.Remove(p.DeviceID)
	if err != nil {
		return devicePairRemoveResult{}, err
	}
	g.log.Info("device removed", "conn", c.conn.id, "device", id)
	c.After(func() { g.closeDevice(id, "", deviceRemoved) })
	return devicePairRemoveResult{DeviceID: id}, nil
}

type deviceTokenRotateResult struct {
	DeviceID    string   `json:"deviceId"`
	Role        string   `json:"role"`
	Token       string   `json:"token"`
	Scopes      []string `json:"scopes"`
	RotatedAtMs int64    `json:"rotatedAtMs"`
}

func (g *Gateway) deviceTokenRotate(_ context.Context, c *call, p protocol.DeviceTokenRotateParams) (deviceTokenRotateResult, error) {
	t, err := g.gate.devices.Rotate(p.DeviceID, p.Role, p.Scopes, c.conn.scopes.Names())
	if err != nil {
		return deviceTokenRotateResult{}, err
	}
	g.log.Info("device token rotated", "conn", c.conn.id, "device", p.DeviceID, "role", t.Role, "scopes", t.Scopes)
	return deviceTokenRotateResult{DeviceID: p.DeviceID, Role: t.Role, Token: t.DeviceToken, Scopes: t.Scopes, RotatedAtMs: t.IssuedAtMs}, nil
}

type deviceTokenRevokeResult struct {
	DeviceID    string `json:"deviceId"`
	Role        string `json:"role"`
	RevokedAtMs int64  `json:"revokedAtMs"`
}

// deviceTokenRevoke ends a token and the device's connections in its role.
func (g *Gateway) deviceTokenRevoke(_ context.Context, c *call, p protocol.DeviceTokenRevokeParams) (deviceTokenRevokeResult, error) {
	gone, err := g.gate.devices.Revoke(p.DeviceID, p.Role)
	if err != nil {
		return deviceTokenRevokeResult{}, err
	}
	g.log.Info("device token revoked", "conn", c.conn.id, "device", gone.DeviceID, "role", gone.Role)
	c.After(func() { g.closeDevice(gone.DeviceID, gone.Role, tokenRevoked) })
	return deviceTokenRevokeResult{DeviceID: p.DeviceID, Role: gone.Role, RevokedAtMs: gone.At}, nil
}

// gatewayIdentity tells the gateway's own device id and key.
func (g *Gateway) gatewayIdentity(context.Context, *call, struct{}) (auth.Identity, error) {
	return g.gate.self()
}

// publishResolved tells those who approve devices how a request ended.
func (g *Gateway) publishResolved(r auth.Resolution) {
	g.hub.Publish(hub.Event{Name: "device.pair.resolved", To: hub.All(), Policy: hub.DropIfSlow, Payload: rawjson.MustMarshal(r)})
}

// closeIfGone ends a connection whose device was removed, or lost a token,
// while the handshake went on: closeDevice could not see it yet.
func (g *Gateway) closeIfGone(c *conn) {
	if c.deviceID != "" && g.gate.devices.Endings(c.deviceID) != c.endings {
		c.out.close(websocket.StatusPolicyViolation, deviceRemoved)
	}
}
