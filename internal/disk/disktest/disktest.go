// Package disktest proves what code leaves on a disk that fails and on one that
// loses its power. It is for tests; no shipped package imports it.
//
// EachFault runs a piece of work again and again, each time letting another of
// its changing operations fail, and each time has what is left checked.
//
// A Recorder notes what a piece of work does; PowerCuts makes the states that
// a power cut can leave, one after another, and has each checked. The model is
// as hostile as POSIX allows and more hostile than most file systems are:
//
//   - The power can go after each operation.
//   - What was written to a file, or cut from it, is durable after a Sync of
//     that file, by whatever handle. Until then each block of 4 KiB (or, as an
//     option, each sector of 512 bytes) is what it was at the last Sync or after
//     any write since, independently of all other blocks, and so is the size:
//     a file may have grown without its data, and then reads as zeros.
//   - Names are durable after a SyncDir of their directory; a Sync of a file
//     does nothing for its name. Until then, of what happened to the names of a
//     directory, any first part survives, or, with AnyOrder, any part in which
//     what happened to one name comes in order. An operation within one
//     directory survives whole or not at all. A rename into another directory
//     is a removal here and a new name there, and each can be lost alone.
//   - Directories and files are independent of each other: a name may be there
//     and its content not.
//   - After a Sync or SyncDir that failed, what it should have saved stays
//     uncertain whatever is synced later, until it is written again.
//   - What the directory held before the recording is durable.
//
// Modes, times and symbolic links made by the work are not modelled.
package disktest

import (
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/parleyd/parley/internal/disk"
)

// randomName is the random part in the name of a temporary file.
var randomName = regexp.MustCompile(`\.[a-z2-7]{26}\.tmp$`)

// shown is a path for people: the same in each run.
func shown(path string) string {
	return randomName.ReplaceAllString(filepath.Base(path), ".*.tmp")
}

// describe is an operation for people.
func describe(op disk.Op) string {
	text := string(op.Kind) + " " + shown(op.Path)
	switch op.Kind {
	case disk.Rename, disk.Exchange, disk.Link:
		text += " to " + shown(op.To)
	case disk.Write:
		text += " at " + strconv.FormatInt(op.Off, 10) + ", " + strconv.Itoa(len(op.Data)) + " bytes"
	case disk.Truncate:
		text += " to " + strconv.FormatInt(op.Off, 10)
	}
	return text
}

// keep is a copy of op that stays valid.
func keep(op disk.Op) disk.Op {
	op.Data = slices.Clone(op.Data)
	return op
}
