package main

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// reference is what there is to know of a command, for the completion scripts,
// the manual page and doc/cli.md: all are made of the same description as the
// command line itself.
type reference struct {
	path  []string // without "parley"
	help  string
	args  []argument
	flags []option
	leads []string // to these commands below it
	usual bool     // what is run when none of those is named has its flags, too
}

// argument is one positional argument.
type argument struct {
	name, help string
	optional   bool
	many       bool
}

// option is one flag.
type option struct {
	name, help, value string // value is "" when it takes none
	short             rune
	env               []string
	words             []string // that it takes, if they are known
	files             bool     // it takes the name of a file or a directory
}

// references are all commands, in the order of the help, parents first. The first
// is the program itself.
func references() ([]reference, error) {
	parser, err := newParser(streams{})
	if err != nil {
		return nil, err
	}
	var out []reference
	walk(parser.Model.Node, nil, &out)
	return out, nil
}

func walk(n *kong.Node, path []string, out *[]reference) {
	r := reference{path: path, help: n.Help}
	for _, p := range n.Positional {
		r.args = append(r.args, argument{name: p.Name, help: p.Help, optional: !p.Required, many: p.IsCumulative()})
	}
	flags := n.Flags
	if n.DefaultCmd != nil {
		r.usual = true
		flags = append(slices.Clone(flags), n.DefaultCmd.Flags...)
	}
	for _, f := range flags {
		if !f.Hidden {
			r.flags = append(r.flags, optionOf(f))
		}
	}
	at := len(*out)
	*out = append(*out, r)
	for _, c := range n.Children {
		if c.Hidden {
			continue
		}
		(*out)[at].leads = append((*out)[at].leads, c.Name)
		walk(c, append(slices.Clone(path), c.Name), out)
	}
}

func optionOf(f *kong.Flag) option {
	out := option{name: f.Name, help: f.Help, short: f.Short, env: f.Envs}
	if f.IsBool() {
		return out
	}
	out.value = f.FormatPlaceHolder()
	if f.Enum != "" {
		out.words = f.EnumSlice()
		out.value = strings.Join(out.words, "|")
	}
	out.files = slices.Contains([]string{"FILE", "DIR", "PATH"}, out.value)
	return out
}

// name is the command as it is typed.
func (r reference) name() string { return strings.Join(append([]string{"parley"}, r.path...), " ") }

// usage is the command with what it takes.
func (r reference) usage() string {
	text := r.name()
	if len(r.leads) > 0 {
		word := "<command>"
		if r.usual {
			word = "[<command>]"
		}
		text += " " + word
	}
	for _, a := range r.args {
		text += " " + a.text()
	}
	return text + " [flags]"
}

func (a argument) text() string {
	text := "<" + a.name + ">"
	if a.many {
		text += " ..."
	}
	if a.optional {
		text = "[" + text + "]"
	}
	return text
}

// text is the flag as it is typed.
func (f option) text() string {
	text := "--" + f.name
	if f.value != "" {
		text += "=" + f.value
	}
	if f.short != 0 {
		text = "-" + string(f.short) + ", " + text
	}
	return text
}

// told is the flag's help, with the variables that set it.
func (f option) told() string {
	if len(f.env) == 0 {
		return f.help
	}
	return f.help + " ($" + strings.Join(f.env, ", $") + ")"
}
