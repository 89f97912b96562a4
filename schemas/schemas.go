// Package schemas holds the JSON Schemas of the gateway protocol: a file named
// after each method for its params, and files with a leading underscore for
// frames, events, results and the parts they share.
//
// The order of the properties and of the required names in a file is part of
// the protocol: clients are told problems in that order. A method whose schema
// accepts everything judges its params by itself, or ignores them.
package schemas

import "embed"

// FS holds every schema as <name>.json.
//
//go:embed *.json
var FS embed.FS

// Base is what stands before the file name in the $id of every schema.
const Base = "https://github.com/parleyd/parley/schemas/"
