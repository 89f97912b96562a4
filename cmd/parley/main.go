// Command parley is a chat gateway for AI agents: `parley serve` is the daemon,
// the other commands talk to a running one.
//
// Exit codes:
//
//	0  done
//	1  the gateway refused the call, or something else failed; for doctor and
//	   health: something is wrong; for models check: a model does not answer
//	2  the command line is wrong
//	3  the configuration is missing, broken or not allowed
//	4  the address to listen on cannot be had
//	5  the state directory cannot be used
//	6  another parley owns the state directory
//	7  the gateway cannot be reached
//
// main parses the command line and turns errors into messages and exit codes;
// each command has a file. Package gateway does the serving, package client
// the talking.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"
)

// commands is the command line.
type commands struct {
	Serve    serveCommand     `cmd:"" help:"Run the gateway."`
	Call     callCommand      `cmd:"" help:"Call a method of a running gateway and print what it answers."`
	Tail     tailCommand      `cmd:"" help:"Print the events of a running gateway as they happen."`
	Chat     chatCommand      `cmd:"" help:"Talk with a session."`
	Health   healthCommand    `cmd:"" help:"Say whether the gateway that runs is well."`
	Doctor   doctorCommand    `cmd:"" help:"Say what is wrong with the state directory and what to do, and repair it."`
	Sessions sessionsCommands `cmd:"" help:"Look after the stored sessions."`
	Models   modelsCommands   `cmd:"" help:"Show the configured models, and whether they answer."`
	Devices  devicesCommands  `cmd:"" help:"Let devices in, and turn them out."`
	Version  versionCommand   `cmd:"" help:"Print the version."`

	Completion completionCommand `cmd:"" help:"Print a script that completes parley's command line in a shell."`
	Man        manCommand        `cmd:"" help:"Print the manual page."`
}

const description = `A chat gateway for AI agents.

Start it with "parley serve", then try "parley chat". "parley <command> --help" tells more.

Exit codes: 0 done, 1 refused or failed, 2 wrong command line, 3 configuration, 4 address in use, 5 state directory, 6 already running, 7 gateway out of reach.`

// streams are where commands read and write.
type streams struct {
	in       io.Reader
	out, err *os.File
}

func main() { os.Exit(run(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr})) }

// run is main without the exit.
func run(args []string, io streams) int {
	parser, err := newParser(io)
	if err != nil {
		return report(io.err, err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if err != nil {
		return report(io.err, fault{exitUsage, err, `Run "parley --help" to see what there is.`})
	}
	return report(io.err, command.Run(io))
}

// newParser is what reads the command line.
func newParser(io streams) (*kong.Kong, error) {
	return kong.New(&commands{}, kong.Name("parley"), kong.Description(description),
		kong.Writers(io.out, io.err), kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}))
}

// The exit codes of the package comment.
const (
	exitFailed = iota + 1
	exitUsage
	exitConfig
	exitListen
	exitState
	exitOwned
	exitUnreachable
)

// fault is an error with an exit code of its own and what to do about it.
type fault struct {
	code   int
	err    error
	remedy string
}

// Error is the error without the remedy.
func (f fault) Error() string { return f.err.Error() }

// Unwrap is the error.
func (f fault) Unwrap() error { return f.err }

// bare is an error that programs read: it is printed as it is.
type bare struct{ text string }

// Error is the text.
func (b bare) Error() string { return b.text }

// silent is an exit code of a command that has said all there is to say.
type silent int

// Error is for who forgets to look at the code.
func (s silent) Error() string { return fmt.Sprintf("exit code %d", int(s)) }

// report prints err for a person and returns the exit code.
func report(w io.Writer, err error) int {
	if err == nil {
		return 0
	}
	if s, ok := errors.AsType[silent](err); ok {
		return int(s)
	}
	if b, ok := errors.AsType[bare](err); ok {
		fmt.Fprintln(w, b)
		return exitFailed
	}
	fmt.Fprintf(w, "parley: %v\n", err)
	f, ok := errors.AsType[fault](err)
	if !ok {
		return exitFailed
	}
	if f.remedy != "" {
		fmt.Fprintln(w, f.remedy)
	}
	return f.code
}
