// Package realclients runs OpenClaw's own clients against the built daemon: the
// command line, the terminal chat, the bridge for editors, the Control UI in a
// browser, and what others wrote: wscat and the library openclaw-node. It also
// moves a state directory to Parley and back. It holds tests only.
//
// OPENCLAW_MODULES names the node_modules folder of an npm prefix with
// openclaw@2026.3.24, node@22, wscat and openclaw-node@0.1.0 (`make clients`
// installs it); a Chromium must be installed as well. Without the variable no
// test runs; with it none may be skipped. PARLEY_SCREENSHOTS names a directory
// that gets pictures of what was seen.
//
// Every client has a home directory of its own. Its environment names no proxy
// and no provider's key, and it talks to the loopback address only.
package realclients
