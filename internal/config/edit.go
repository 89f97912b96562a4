package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/parleyd/parley/internal/atomicfile"
	"github.com/parleyd/parley/internal/json5"
	"github.com/parleyd/parley/internal/rawjson"
)

// A Refusal is why an edit of the configuration file was refused: nothing was
// written. Its text is for people.
type Refusal struct {
	Reason string
	// Issues are the problems of a configuration that would not hold.
	Issues []Issue
}

// Error is the reason.
func (r *Refusal) Error() string { return r.Reason }

func refusef(format string, args ...any) error { return &Refusal{Reason: fmt.Sprintf(format, args...)} }

// Replace makes text, JSON5, the configuration file's, and gives the file as
// it is then; c itself stays as it is. base is the Hash of the source that the
// text was made from. Where the text has Redacted the stored value stays, and
// so does ${NAME} where the text has what it stands for.
//
// A text that is no valid configuration, or made from another one than there
// is, is a *Refusal. Callers must not edit one file at the same time.
func (c *Config) Replace(text, base string) (Source, error) {
	stored, err := c.editable(base)
	if err != nil {
		return Source{}, err
	}
	wanted, err := json5.Parse(text)
	if err != nil {
		return Source{}, refusef("the configuration is no JSON5: %v", err)
	}
	r := restoring{stored: stored.source.Parsed, env: stored.env}
	whole, err := r.restore(wanted)
	if err != nil {
		return Source{}, err
	}
	return c.write(r.text(text, whole))
}

// Patch is Replace with the stored file changed by a JSON merge patch
// (RFC 7396), as JSON5: its members replace those of the same name, objects
// member by member, null removes one. Comments in the file are lost.
func (c *Config) Patch(patch, base string) (Source, error) {
	stored, err := c.editable(base)
	if err != nil {
		return Source{}, err
	}
	if _, err := json5.Parse(stored.source.Raw); err != nil && stored.source.Exists {
		return Source{}, refusef("the configuration file is no JSON5 (%v): replace it as a whole", err)
	}
	change, err := json5.Parse(patch)
	if err != nil {
		return Source{}, refusef("the patch is no JSON5: %v", err)
	}
	if rawjson.Kind(change) != '{' {
		return Source{}, refusef("the patch must be an object, not %s", kindOf(change))
	}
	r := restoring{stored: stored.source.Parsed, env: stored.env}
	whole, err := r.restore(mergePatch(stored.source.Parsed, change))
	if err != nil {
		return Source{}, err
	}
	return c.write(indented(whole))
}

// editable is the configuration as its file is now, if base names that.
func (c *Config) editable(base string) (*Config, error) {
	now, err := c.reread()
	switch {
	case now == nil:
		return nil, err
	case base == "" && now.source.Exists:
		return nil, refusef("config base hash required; re-run config.get and retry")
	case base != "" && base != now.source.Hash():
		return nil, refusef("config changed since last load; re-run config.get and retry")
	}
	return now, nil
}

// write checks that a daemon could start with text, and writes it.
func (c *Config) write(text string) (Source, error) {
	next, err := c.check(text)
	if invalid, ok := errors.AsType[*InvalidError](err); ok {
		return Source{}, &Refusal{Reason: "invalid config: " + summary(invalid.Issues), Issues: invalid.Issues}
	}
	if err != nil {
		return Source{}, &Refusal{Reason: "invalid config: " + err.Error(), Issues: []Issue{{"", err.Error()}}}
	}
	path := c.Path
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // a link to the file stays one
	} else if !errors.Is(err, fs.ErrNotExist) {
		return Source{}, fmt.Errorf("write the configuration: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return Source{}, fmt.Errorf("write the configuration: %w", err)
	}
	if err := atomicfile.Write(path, []byte(text)); err != nil {
		return Source{}, fmt.Errorf("write the configuration: %w", err)
	}
	return next.source, nil
}

// check reads text as the configuration file would be read at the next start.
func (c *Config) check(text string) (*Config, error) {
	l := newLoading(c.options, c.places)
	l.addFiles()
	next, _, err := l.load(text, true)
	if err != nil {
		return nil, err
	}
	start := *next
	if start.Gateway.Auth.Mode == AuthToken && start.Gateway.Auth.Token.Empty() {
		start.Gateway.Auth.Token = NewSecret("made at start") // see EnsureToken
	}
	return next, start.CheckStart()
}

// summary is all issues on one line.
func summary(issues []Issue) string {
	var parts []string
	for _, i := range issues {
		if i.Path != "" {
			i.Message = i.Path + ": " + i.Message
		}
		parts = append(parts, i.Message)
	}
	return strings.Join(parts, "; ")
}

// indented is v as a file has it.
func indented(v rawjson.Value) string {
	var b bytes.Buffer
	if err := json.Indent(&b, v, "", "  "); err != nil {
		return string(v) + "\n"
	}
	return b.String() + "\n"
}

// mergePatch is RFC 7396: v changed by patch.
func mergePatch(v, patch rawjson.Value) rawjson.Value {
	change, err := rawjson.Parse(patch)
	if err != nil {
		return patch
	}
	o, err := rawjson.Parse(v)
	if err != nil {
		o = rawjson.Object{}
	}
	for name, member := range change.All() {
		if rawjson.Kind(member) == 'n' {
			o.Delete(name)
			continue
		}
		o.Set(name, mergePatch(o.Get(name), member))
	}
	return o.JSON()
}
