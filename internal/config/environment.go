package config

import (
	"os"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// An environment is the process's variables and what .env files and the env
// block add to them. What is set already is never replaced; the process's own
// environment is not changed.
type environment struct {
	lookup func(string) string
	added  map[string]string
}

func (e environment) get(name string) string {
	if e.lookup != nil {
		if v := e.lookup(name); v != "" {
			return v
		}
	}
	return e.added[name]
}

// add sets a variable that is not set yet.
func (e environment) add(name, value string) {
	if name != "" && e.get(name) == "" {
		e.added[name] = value
	}
}

// addFile adds the variables of a .env file, if there is one.
func (e environment) addFile(path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		// A .env file is optional, and one that cannot be read must not stop
		// a start for which it may not matter.
		return
	}
	for name, value := range dotenv(string(text)) {
		e.add(name, value)
	}
}

// addBlock adds the variables of the configuration's env block: those of
// env.vars, and texts directly under env. Values that refer to variables
// themselves are left out.
func (e environment) addBlock(block rawjson.Value) {
	o, err := rawjson.Parse(block)
	if err != nil {
		return
	}
	if vars, err := rawjson.Parse(o.Get("vars")); err == nil {
		e.addMembers(vars)
	}
	o = o.Clone()
	o.Delete("vars", "shellEnv")
	e.addMembers(o)
}

func (e environment) addMembers(o rawjson.Object) {
	for name, v := range o.All() {
		value, ok := rawjson.Text(v)
		if ok && jstext.Trim(value) != "" && !reference.MatchString(value) {
			e.add(name, value)
		}
	}
}
