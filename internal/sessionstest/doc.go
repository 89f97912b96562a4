// Package sessionstest holds the session plane against its rules, through the
// wire: a table of every text by which a call is refused.
//
// All of it is tests; nothing may import the package. The tests know only what
// clients and operators know.
package sessionstest
