// Package sessionstest holds the session plane against its rules, through the
// wire: random sequences of calls against a model of the rules that is simple
// enough to be read, and a table of every text by which a call is refused.
//
// All of it is tests; nothing may import the package. The tests know only what
// clients and operators know. In particular the model takes nothing from the
// package sessions: a rule that both had from one place could not be tested.
//
// The default run is short. Longer ones:
//
//	go test -race ./internal/sessionstest -run Model -rapid.checks=2000
//	go test ./internal/sessionstest -run Model -rapid.checks=500 -rapid.steps=100
//
// A failure prints the shortest sequence that rapid finds for it, and how to
// play it again.
package sessionstest
