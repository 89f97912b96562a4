package main

import (
	"fmt"
	"io"
	"strings"
)

// manCommand is `parley man`.
type manCommand struct {
	Markdown bool `help:"As Markdown, like doc/cli.md."`
}

// Run prints the page: parley man > /usr/local/share/man/man1/parley.1
func (c *manCommand) Run(s streams) error {
	refs, err := references()
	if err != nil {
		return err
	}
	page := manPage(refs)
	if c.Markdown {
		page = markdownPage(refs)
	}
	_, err = io.WriteString(s.out, page)
	return err
}

// about are the parts of the page that no command has.
var about = []struct {
	title string
	lines []string // in pairs: a term, and what it means
}{
	{"Exit codes", []string{
		"0", "done",
		"1", "the gateway refused, or something else failed; doctor and health: something is wrong; models check: a model does not answer; sessions import: a session was refused; chat: there is no whole answer",
		"2", "the command line is wrong",
		"3", "the configuration is missing, broken or not allowed",
		"4", "the address to listen on cannot be had",
		"5", "the state directory cannot be used",
		"6", "another parley owns the state directory",
		"7", "the gateway cannot be reached",
	}},
	{"Environment", []string{
		"PARLEY_URL", "the gateway, as --url",
		"PARLEY_TOKEN", "the shared token, as --token",
		"OPENCLAW_STATE_DIR, OPENCLAW_CONFIG_PATH", "state directory and configuration of an OpenClaw installation",
		"NO_COLOR", "when it is set, nothing is coloured; what is not a terminal never is",
	}},
}

const intro = `Tables are for people and keep to the width of the terminal; every command that prints one has --json for programs. Errors say what failed, on what, and what to do; they and the progress of long work go to standard error.

Commands that look after sessions, devices and models go through the daemon of the state directory when one runs, or through the gateway of --url, and otherwise work on the directory themselves; nothing listens meanwhile. The commands call, tail, chat and health need a gateway that runs.`

// manPage is the page in roff.
func manPage(refs []reference) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH PARLEY 1 \"\" %s \"Parley\"\n", roffQuote("parley "+versionText()))
	b.WriteString(".SH NAME\nparley \\- a chat gateway for AI agents\n.SH SYNOPSIS\n.B parley\n.I command\n[flags]\n.SH DESCRIPTION\n")
	b.WriteString(strings.ReplaceAll(roff(intro), "\n\n", "\n.PP\n") + "\n.SH COMMANDS\n")
	for _, r := range refs[1:] {
		fmt.Fprintf(&b, ".SS %s\n%s\n", roffQuote(r.usage()), roff(r.help))
		for _, a := range r.args {
			fmt.Fprintf(&b, ".TP\n.I %s\n%s\n", roff(a.name), roff(a.help))
		}
		for _, f := range r.flags {
			if f.name != "help" {
				fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(f.text()), roff(f.told()))
			}
		}
	}
	for _, part := range about {
		fmt.Fprintf(&b, ".SH %s\n", strings.ToUpper(part.title))
		for i := 0; i < len(part.lines); i += 2 {
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(part.lines[i]), roff(part.lines[i+1]))
		}
	}
	return b.String()
}

// roff is a text without what roff would understand.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}

func roffQuote(text string) string { return `"` + strings.ReplaceAll(roff(text), `"`, `""`) + `"` }

// markdownPage is the page in Markdown.
func markdownPage(refs []reference) string {
	var b strings.Builder
	b.WriteString("# Command line\n\nMade by `parley man --markdown`, of the same description as `parley --help`; `parley man` prints it as a manual page, `parley completion` the scripts for shells.\n\n" + intro + "\n")
	for _, r := range refs[1:] {
		fmt.Fprintf(&b, "\n%s %s\n\n%s\n", strings.Repeat("#", min(len(r.path)+1, 3)), r.name(), r.help)
		if len(r.leads) > 0 && len(r.flags) <= 1 {
			continue
		}
		fmt.Fprintf(&b, "\n```\n%s\n```\n", r.usage())
		if len(r.args)+len(r.flags) <= 1 {
			continue
		}
		b.WriteString("\n| | |\n|---|---|\n")
		for _, a := range r.args {
			fmt.Fprintf(&b, "| `%s` | %s |\n", a.text(), cellText(a.help))
		}
		for _, f := range r.flags {
			if f.name != "help" {
				fmt.Fprintf(&b, "| `%s` | %s |\n", cellText(f.text()), cellText(f.told()))
			}
		}
	}
	for _, part := range about {
		fmt.Fprintf(&b, "\n## %s\n\n| | |\n|---|---|\n", part.title)
		for i := 0; i < len(part.lines); i += 2 {
			fmt.Fprintf(&b, "| `%s` | %s |\n", part.lines[i], part.lines[i+1])
		}
	}
	return b.String()
}

func cellText(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
