// Package auth decides who may come in and as what. It owns the device files
// (<state>/devices/*.json, <state>/identity/device.json), the rules of pairing,
// the proof of a device key, the comparison of secrets, the throttling of
// wrong ones, and the questions where a client is (its address, whether it is
// local) and which browser pages may connect.
//
// It opens no socket and knows no frame: requests come in as values (address,
// Host, header, credentials), verdicts go out as values. Sockets, events and
// the order of the handshake are the gateway's.
//
// Guarantees: secrets are compared in constant time, and never stand in an
// error or a log line. A change of the device files is on disk, synced, when
// the call that made it returns, except for the time a token was last used,
// which is written at most once a second. Fields of the files that this
// package does not know are kept. All types are safe for concurrent use.
package auth
