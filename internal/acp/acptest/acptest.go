// Package acptest is an agent for tests that speaks the Agent Client Protocol by
// the book, or breaks it as it is told to. It is the test binary itself, started
// again: TestMain calls Main first.
//
// The agent follows the directives in a message, in their order:
//
//	[[say TEXT]]          say TEXT
//	[[think TEXT]]        think TEXT
//	[[tool ID KIND TEXT]] begin a call of a tool
//	[[more ID TEXT]]      tell what the tool has given so far
//	[[done ID TEXT]]      end the call; [[failed ID TEXT]] ends it badly
//	[[permit ID TEXT]]    ask to be permitted the command TEXT, say the option
//	[[recall]]            say what was asked in this session, and where it works
//	[[env]]               say the names of all variables
//	[[call METHOD]]       call a method of the client, say what it answers
//	[[stop REASON]]       end the turn for this reason
//	[[refuse TEXT]]       answer the prompt with an error
//	[[usage]]             tell what was used
//	[[stderr TEXT]]       write to standard error
//	[[wait]]              until the turn is cancelled
//	[[deaf]]              say "deaf", and never end the turn, cancelled or not
//	[[frozen]]            say "frozen", and react to nothing any more
//	[[child]]             start a process that outlives this one, say its number
//	[[exit CODE]]         exit
//	[[garbage N]]         write N lines that are no messages
//	[[long]]              write a line without end
//	[[flood N]]           say N times "flood "
//	[[tools N]]           begin N calls of tools
//	[[requests N]]        make N requests without waiting
//
// Without a directive it says "heard N: " and the message, N being how often it
// was asked in this session.
package acptest

import (
	"encoding/json"
	"flag"
	"os"
)

// variable is set in the environment of a process that is to be the agent.
const variable = "PARLEY_TEST_AGENT"

// Main is the agent, if this process is to be it; then it does not return.
func Main() {
	if os.Getenv(variable) == "" {
		return
	}
	var a agent
	flag.CommandLine = flag.NewFlagSet("agent", flag.ExitOnError)
	flag.StringVar(&a.store, "store", "", "file that keeps the sessions, so that they can be loaded")
	flag.StringVar(&a.journal, "journal", "", "file that gets a line for each start and each call")
	flag.BoolVar(&a.images, "images", false, "take pictures")
	flag.BoolVar(&a.closes, "closes", false, "want to know of the end of sessions")
	flag.StringVar(&a.models, "models", "", "ids of models, the first being the current one")
	flag.StringVar(&a.bad, "bad", "", "silent, exit, version, refuse, login, stubborn or banner")
	flag.Parse()
	os.Exit(a.run())
}

// Command is the program that is the agent, Env the variable that makes it so.
func Command() string {
	path, err := os.Executable()
	if err != nil {
		panic(err) // of no use to a test
	}
	return path
}

// Env is the variable that makes the program the agent.
func Env() (name, value string) { return variable, "1" }

type message struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  any             `json:"result,omitempty"`
	Error   *rpcError       `json:"error,omitempty"`
}

type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

type object = map[string]any
