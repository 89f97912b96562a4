// Package gatewaytest is what tests of the gateway share: a player for the
// recorded scenarios in testdata/scenarios, a scripted model server, an
// in-memory listener with a small client, and a runner for wire scripts.
//
// The scenario player compares with the semantics of the Node player that
// recorded the scenarios (JavaScript's numbers, member order, masks): the two
// must agree on every file, which `make scenarios` checks. It talks to the
// gateway through its own WebSocket code, so that a fault of the library that
// the gateway uses cannot hide on both ends.
//
// The package does not import the gateway: who calls it brings a Starter or a
// serve function. So tests inside package gateway can use it too.
package gatewaytest
