// Package browsertest tries Parley's page in a real browser (Chromium) against
// the built daemon: what a person does and sees. It holds tests only.
//
// Where there is no browser the tests are skipped, but in CI (the variable CI is
// set) they fail. PARLEY_BROWSER names another one; PARLEY_SCREENSHOTS names a
// directory that gets pictures of what was seen; AXE_MODULES names the
// node_modules folder with axe-core, which looks for what hinders people with
// assistive technology.
package browsertest
