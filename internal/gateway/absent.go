package gateway

import (
	"context"
	"time"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// Clients ask every gateway about parts that this one does not have: nodes,
// channels, heartbeats. The methods here say so in the way that
// shows as "none" rather than as an error.

type nodeListResult struct {
	TS    int64      `json:"ts"`
	Nodes []struct{} `json:"nodes"`
}

// nodeList says that there are no nodes.
func (g *Gateway) nodeList(context.Context, *call, protocol.NoParams) (nodeListResult, error) {
	return nodeListResult{TS: time.Now().UnixMilli()}, nil
}

type nodePairListResult struct {
	Pending []struct{} `json:"pending"`
	Paired  []struct{} `json:"paired"`
}

// nodePairList says that no node is paired or wants to be.
func (g *Gateway) nodePairList(context.Context, *call, protocol.NoParams) (nodePairListResult, error) {
	return nodePairListResult{}, nil
}

type channelsStatusResult struct {
	TS                      int64    `json:"ts"`
	ChannelOrder            []string `json:"channelOrder"`
	ChannelLabels           struct{} `json:"channelLabels"`
	Channels                struct{} `json:"channels"`
	ChannelAccounts         struct{} `json:"channelAccounts"`
	ChannelDefaultAccountID struct{} `json:"channelDefaultAccountId"`
}

// channelsStatus says that there are no channels.
func (g *Gateway) channelsStatus(context.Context, *call, protocol.ChannelsStatusParams) (channelsStatusResult, error) {
	return channelsStatusResult{TS: time.Now().UnixMilli()}, nil
}

type setHeartbeatsResult struct {
	OK      bool `json:"ok"`
	Enabled bool `json:"enabled"`
}

// setHeartbeats turns off what is never on; it cannot turn it on.
func (g *Gateway) setHeartbeats(_ context.Context, _ *call, p protocol.SetHeartbeatsParams) (setHeartbeatsResult, error) {
	enabled, ok := rawjson.Bool(p.Enabled)
	switch {
	case !ok:
		return setHeartbeatsResult{}, protocol.Invalidf("invalid set-heartbeats params: enabled (boolean) required")
	case enabled:
		return setHeartbeatsResult{}, protocol.Invalidf("this gateway has no heartbeats to turn on")
	}
	return setHeartbeatsResult{OK: true}, nil
}
