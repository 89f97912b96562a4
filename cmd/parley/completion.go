package main

import (
	"fmt"
	"io"
	"strings"
)

// completionCommand is `parley completion`.
type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help says what to do with the script.
func (completionCommand) Help() string {
	return `Put the script where the shell looks for it:

  bash: parley completion bash > ~/.local/share/bash-completion/completions/parley
  zsh:  parley completion zsh > "${fpath[1]}/_parley"
  fish: parley completion fish > ~/.config/fish/completions/parley.fish`
}

// Run prints the script. It needs nothing of parley but its name.
func (c *completionCommand) Run(s streams) error {
	refs, err := references()
	if err != nil {
		return err
	}
	write := map[string]func([]reference) string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}[c.Shell]
	_, err = io.WriteString(s.out, write(refs))
	return err
}

// walkScript is the part of the scripts for bash and zsh that finds out at which
// command the line is: it puts it into at.
func walkScript(refs []reference, word string) string {
	var below []string
	for _, r := range refs[1:] {
		below = append(below, shellQuote(r.name()))
	}
	return fmt.Sprintf("    case \"$at %s\" in\n      %s) at=\"$at %s\" ;;\n    esac\n", word, strings.Join(below, "|"), word)
}

func bashScript(refs []reference) string {
	var b strings.Builder
	b.WriteString("# bash completion for parley; made by \"parley completion bash\".\n_parley() {\n")
	b.WriteString("  local cur=\"${COMP_WORDS[COMP_CWORD]}\" prev=\"${COMP_WORDS[COMP_CWORD-1]}\" at=parley words= i\n")
	b.WriteString("  COMPREPLY=()\n")
	// --flag=value comes as three words.
	b.WriteString("  if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=\"${COMP_WORDS[COMP_CWORD-2]}\"; fi\n")
	b.WriteString("  for ((i = 1; i < COMP_CWORD; i++)); do\n" + walkScript(refs, "${COMP_WORDS[i]}") + "  done\n")
	b.WriteString("  case \"$at $prev\" in\n")
	for _, r := range refs {
		for _, f := range r.flags {
			if f.value == "" {
				continue
			}
			// Without words of ours the shell completes names of files.
			action := ""
			if len(f.words) > 0 {
				action = fmt.Sprintf("COMPREPLY=($(compgen -W %s -- \"$cur\")); ", shellQuote(strings.Join(f.words, " ")))
			}
			fmt.Fprintf(&b, "    %s) %sreturn ;;\n", patterns(r, f), action)
		}
	}
	b.WriteString("  esac\n  case \"$at\" in\n")
	for _, r := range refs {
		fmt.Fprintf(&b, "    %s) words=%s ;;\n", shellQuote(r.name()), shellQuote(strings.Join(r.words(), " ")))
	}
	b.WriteString("  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -o default -F _parley parley\n")
	return b.String()
}

// patterns match a flag of a command.
func patterns(r reference, f option) string {
	out := shellQuote(r.name() + " --" + f.name)
	if f.short != 0 {
		out += "|" + shellQuote(r.name()+" -"+string(f.short))
	}
	return out
}

// words are all that may come next at a command: commands, the words of its first
// argument, flags.
func (r reference) words() (out []string) {
	out = append(out, r.leads...)
	if len(r.path) > 0 && r.path[0] == "completion" {
		out = append(out, "bash", "zsh", "fish")
	}
	for _, f := range r.flags {
		out = append(out, "--"+f.name)
	}
	return out
}

func zshScript(refs []reference) string {
	var b strings.Builder
	b.WriteString("#compdef parley\n# zsh completion for parley; made by \"parley completion zsh\".\n_parley() {\n")
	b.WriteString("  local at=parley word prev=\"${words[CURRENT-1]}\"\n  local -a next\n")
	b.WriteString("  for word in \"${(@)words[2,CURRENT-1]}\"; do\n" + walkScript(refs, "$word") + "  done\n")
	b.WriteString("  case \"$at $prev\" in\n")
	for _, r := range refs {
		for _, f := range r.flags {
			if f.value == "" {
				continue
			}
			action := "_message " + shellQuote(f.value)
			switch {
			case len(f.words) > 0:
				action = "compadd -- " + strings.Join(f.words, " ")
			case f.files:
				action = "_files"
			}
			fmt.Fprintf(&b, "    %s) %s; return ;;\n", patterns(r, f), action)
		}
	}
	b.WriteString("  esac\n  case \"$at\" in\n")
	help := helps(refs)
	for _, r := range refs {
		fmt.Fprintf(&b, "    %s) next=(", shellQuote(r.name()))
		for _, w := range r.words() {
			fmt.Fprintf(&b, "\n      %s", shellQuote(strings.ReplaceAll(w, ":", `\:`)+":"+help[r.name()+" "+w]))
		}
		b.WriteString(") ;;\n")
	}
	b.WriteString("  esac\n  _describe parley next || _files\n}\nif [[ $zsh_eval_context[-1] == loadautofunc ]]; then _parley \"$@\"; else compdef _parley parley; fi\n")
	return b.String()
}

func fishScript(refs []reference) string {
	var b strings.Builder
	b.WriteString("# fish completion for parley; made by \"parley completion fish\".\n")
	b.WriteString("function __parley_at\n  set -l at parley\n  for word in (commandline -opc)[2..-1]\n    switch \"$at $word\"\n      case")
	for _, r := range refs[1:] {
		b.WriteString(" " + shellQuote(r.name()))
	}
	b.WriteString("\n        set at \"$at $word\"\n    end\n  end\n  test \"$at\" = \"$argv[1]\"\nend\n")
	help := helps(refs)
	for _, r := range refs {
		on := "complete -c parley -n " + shellQuote("__parley_at "+shellQuote(r.name()))
		for _, w := range r.words() {
			if !strings.HasPrefix(w, "-") {
				fmt.Fprintf(&b, "%s -f -a %s -d %s\n", on, w, shellQuote(help[r.name()+" "+w]))
			}
		}
		for _, f := range r.flags {
			line := on + " -l " + f.name
			if f.short != 0 {
				line += " -s " + string(f.short)
			}
			switch {
			case len(f.words) > 0:
				line += " -x -a " + shellQuote(strings.Join(f.words, " "))
			case f.files:
				line += " -r -F"
			case f.value != "":
				line += " -x"
			}
			fmt.Fprintf(&b, "%s -d %s\n", line, shellQuote(f.help))
		}
	}
	return b.String()
}

// helps are the helps of commands and flags, by the command and the word.
func helps(refs []reference) map[string]string {
	out := map[string]string{}
	for _, r := range refs {
		out[r.name()] = r.help
		for _, f := range r.flags {
			out[r.name()+" --"+f.name] = f.help
		}
	}
	return out
}

// shellQuote is a text as one word of a shell.
func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
