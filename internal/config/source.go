package config

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/parleyd/parley/internal/json5"
	"github.com/parleyd/parley/internal/rawjson"
)

// Source is where a Config came from, for those who show or edit the file. It
// holds secrets; Redacted does not.
type Source struct {
	// Exists is false when there was no file and defaults hold.
	Exists bool
	// Raw is the file's text.
	Raw string
	// Parsed is the file as JSON, before $include and ${NAME}.
	Parsed rawjson.Value
	// Resolved is the whole configuration as JSON, with them; nil when it did
	// not come that far.
	Resolved rawjson.Value
	// Issues are the problems of a configuration that does not hold.
	Issues []Issue
	// Files are the main file and all included ones, absolute.
	Files []string
}

// Source is where c came from.
func (c *Config) Source() Source { return c.source }

// Current is the source as it is now: the file may have changed since c was
// loaded, and may not hold any more.
func (c *Config) Current() Source {
	now, err := c.reread()
	if now == nil {
		return Source{Exists: true, Parsed: rawjson.Value("{}"), Issues: []Issue{{"", err.Error()}}}
	}
	s := now.source
	if invalid, ok := errors.AsType[*InvalidError](err); ok {
		s.Issues = invalid.Issues
	}
	return s
}

// reread loads the configuration again. One that does not hold comes with its
// error and has no more than its source; only of a file that cannot be read
// there is nothing.
func (c *Config) reread() (*Config, error) {
	if c.fixed {
		return c, nil
	}
	now, _, err := loadFrom(c.options, c.places)
	return now, err
}

// Hash identifies the file's text. Who writes the file names the hash of the
// text that the change was made on.
func (s Source) Hash() string {
	sum := sha256.Sum256([]byte(s.Raw))
	return hex.EncodeToString(sum[:])
}

// Redacted stands for every secret in what Source.Redacted gives.
const Redacted = "__OPENCLAW_REDACTED__"

// Redacted is s without its secrets.
func (s Source) Redacted() Source {
	var secrets []string
	redact := func(v rawjson.Value) rawjson.Value {
		if v == nil {
			return nil
		}
		return redactValue(v, false, &secrets)
	}
	parsed := redact(s.Parsed)
	s.Resolved = redact(s.Resolved)
	s.Raw = redactText(s.Raw, parsed, secrets)
	s.Parsed = parsed
	return s
}

// redactText replaces secrets in the text of a file whose redacted content is
// parsed. Where that would change anything else, or is not certain, the text
// gives way to the content alone, and a text that is no JSON5 to nothing.
func redactText(raw string, parsed rawjson.Value, secrets []string) string {
	if _, err := json5.Parse(raw); err != nil {
		return ""
	}
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, s := range secrets {
		raw = strings.ReplaceAll(raw, s, Redacted)
	}
	if again, err := json5.Parse(raw); err == nil && bytes.Equal(again, parsed) {
		return raw
	}
	var b bytes.Buffer
	if err := json.Indent(&b, parsed, "", "  "); err != nil {
		return ""
	}
	return b.String() + "\n"
}

// redactValue replaces the secrets in v and appends them to secrets. all says
// that every scalar of v is one.
func redactValue(v rawjson.Value, all bool, secrets *[]string) rawjson.Value {
	switch rawjson.Kind(v) {
	case '{':
		o, err := rawjson.Parse(v)
		if err != nil {
			return v
		}
		for name, member := range o.Clone().All() {
			scalar := rawjson.Kind(member) != '{'
			o.Set(name, redactValue(member, all && scalar || scalar && secretName(name) || !scalar && secretGroup(name), secrets))
		}
		return o.JSON()
	case '[':
		list, _ := rawjson.Array(v)
		for i := range list {
			list[i] = redactValue(list[i], all, secrets)
		}
		return rawjson.MustMarshal(list)
	case '"':
		text, _ := rawjson.Text(v)
		if text == "" || reference.FindString(text) == text || !all && !urlWithSecret(text) {
			return v
		}
		*secrets = append(*secrets, text)
		return rawjson.MustMarshal(Redacted)
	case '0':
		if all {
			return rawjson.MustMarshal(Redacted)
		}
	}
	return v
}

// secretGroup reports whether all texts of an object with this name count as
// secrets.
func secretGroup(name string) bool { return name == "env" || name == "vars" || name == "headers" }

// secretName reports whether a text with this name counts as a secret.
func secretName(name string) bool {
	name = strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name))
	if strings.HasSuffix(name, "file") || strings.HasSuffix(name, "path") {
		return false
	}
	for _, part := range []string{"password", "passphrase", "secret", "apikey", "privatekey", "credential", "serviceaccount"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return strings.HasSuffix(name, "token")
}

// urlWithSecret reports whether text is a URL with a password in it.
func urlWithSecret(text string) bool {
	if !strings.Contains(text, "@") {
		return false
	}
	u, err := url.Parse(text)
	if err != nil || u.User == nil {
		return false
	}
	_, ok := u.User.Password()
	return ok
}
