// Package sessions owns the stored sessions: the key grammar, the entries, the
// store files (sessions.json) and the rules by which patch, create, reset and
// delete change an entry.
//
// A Store is one sessions.json. Readers get an immutable Snapshot and never
// wait for a writer or a lock. Update is all or nothing and durable when it
// returns: the memory never runs ahead of the disk. Updates of one store run
// one after another, and exclude other programs by the lock file that OpenClaw
// uses, too. Edits of the file by other programs are seen at the next call.
// What the package does not know in a file (fields, order, spelling of
// numbers, entries that are no objects) it writes back as it was.
//
// Transcripts are left to the caller: entries that maintenance removes are
// handed to a callback. So are events and runs.
package sessions
