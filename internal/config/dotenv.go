package config

import "strings"

// dotenv reads the text of a .env file: lines NAME=value or NAME: value, with
// or without "export" before them. A value in quotes may span lines and hold
// "#"; elsewhere "#" begins a comment. In double quotes \n and \r are line
// ends. What is no assignment is passed over.
func dotenv(text string) map[string]string {
	vars := map[string]string{}
	for text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		text = rest
		name, value, ok := assignment(line)
		if !ok {
			continue
		}
		if value == "" || !strings.ContainsRune("'\"`", rune(value[0])) {
			bare, _, _ := strings.Cut(value, "#")
			vars[name] = strings.TrimSpace(bare)
			continue
		}
		quote := value[:1]
		inner, after, closed := cutQuote(value[1:]+"\n"+rest, quote)
		if !closed {
			vars[name] = strings.TrimSpace(value)
			continue
		}
		if quote == `"` {
			inner = strings.NewReplacer(`\n`, "\n", `\r`, "\r").Replace(inner)
		}
		vars[name] = inner
		_, text, _ = strings.Cut(after, "\n")
	}
	return vars
}

// assignment splits a line into name and value.
func assignment(line string) (name, value string, ok bool) {
	line = strings.TrimSpace(line)
	if rest, exported := strings.CutPrefix(line, "export"); exported && strings.TrimLeft(rest, " \t") != rest {
		line = strings.TrimLeft(rest, " \t")
	}
	end := strings.IndexFunc(line, func(r rune) bool { return !nameRune(r) })
	if end <= 0 {
		return "", "", false
	}
	name, line = line[:end], strings.TrimLeft(line[end:], " \t")
	value, ok = strings.CutPrefix(line, "=")
	if !ok {
		value, ok = strings.CutPrefix(line, ": ")
	}
	return name, strings.TrimSpace(value), ok
}

// nameRune reports whether r may stand in the name of a variable.
func nameRune(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '.', r == '-':
		return true
	}
	return false
}

// cutQuote splits text at the first quote that no backslash precedes.
func cutQuote(text, quote string) (before, after string, found bool) {
	for from := 0; ; {
		i := strings.Index(text[from:], quote)
		if i < 0 {
			return text, "", false
		}
		if at := from + i; at == 0 || text[at-1] != '\\' {
			return text[:at], text[at+1:], true
		}
		from += i + 1
	}
}
