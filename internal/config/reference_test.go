package config

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/rawjson"
)

var update = flag.Bool("update", false, "write doc/configuration.md anew")

// key is one line of the reference.
type key struct {
	path   string
	schema rawjson.Object
}

// keysOf are the keys at and below a path that have a value of their own, in the
// order of the schema; those without effect are left out.
func keysOf(at string, schema rawjson.Value) (keys []key) {
	o, err := rawjson.Parse(schema)
	if err != nil || o.Text("description") == withoutEffect {
		return nil
	}
	deeper := false
	below := func(path string, v rawjson.Value) {
		deeper = true
		keys = append(keys, keysOf(path, v)...)
	}
	if properties, err := rawjson.Parse(o.Get("properties")); err == nil {
		for name, v := range properties.All() {
			below(join(at, name), v)
		}
	}
	if rest := o.Get("additionalProperties"); rawjson.Kind(rest) == '{' {
		below(at+".*", rest)
	}
	if items, err := rawjson.Parse(o.Get("items")); err == nil && items.Has("properties") {
		below(at+"[]", items.JSON())
	}
	if deeper {
		return keys
	}
	return []key{{at, o}}
}

// Every key that is read is explained, and what is explained is read.
func TestEveryKeyIsExplained(t *testing.T) {
	unused := maps.Clone(meanings)
	for _, k := range keysOf("", Schema()) {
		if _, ok := meaningOf(k.path); !ok {
			t.Errorf("meanings.go does not explain %s", k.path)
		}
		delete(unused, k.path)
	}
	delete(unused, "session.resetByChannel.*")
	delete(unused, "session.resetByType")
	for path := range unused {
		t.Errorf("meanings.go explains %s, which nobody reads", path)
	}
}

// kind is what a value must be, for people.
func kind(o rawjson.Object) string {
	if list, ok := rawjson.Array(o.Get("enum")); ok {
		var parts []string
		for _, v := range list {
			s, _ := rawjson.Text(v)
			parts = append(parts, "`"+s+"`")
		}
		return strings.Join(parts, ", ")
	}
	if list, ok := rawjson.Array(o.Get("anyOf")); ok {
		var parts []string
		for _, v := range list {
			choice, _ := rawjson.Parse(v)
			parts = append(parts, kind(choice))
		}
		return strings.Join(parts, " or ")
	}
	if c := o.Get("const"); c != nil {
		return "`" + string(c) + "`"
	}
	text := o.Text("type")
	if list, ok := rawjson.Array(o.Get("type")); ok {
		text = strings.NewReplacer(`"`, "", "[", "", "]", "", ",", " or ").Replace(string(rawjson.MustMarshal(list)))
	}
	if items, err := rawjson.Parse(o.Get("items")); err == nil {
		text += " of " + kind(items)
	}
	least, most := string(o.Get("minimum")), string(o.Get("maximum"))
	switch {
	case most == "9007199254740991" || most == "" && least != "":
		text += " from " + least
	case least != "":
		text += " " + least + " to " + most
	}
	if text == "" {
		return "anything"
	}
	return text
}

// referencePage is doc/configuration.md.
func referencePage() string {
	var b strings.Builder
	b.WriteString(`# Configuration reference

Made from the program by ` + "`go test ./internal/config -run Reference -update`" + `; a test keeps it current. Where the file lies, how it is read and edited, and what happens when
it changes is told in [operations.md](operations.md#configuration). Forms get the same as JSON Schema from the method ` + "`config.schema`" + `.

Paths are relative to the working directory; a leading ` + "`~`" + ` is the home directory. Durations are ` + "`500ms`, `30s`, `5m`, `2h`, `30d`" + ` or several joined (` + "`1h30m`" + `); sizes are bytes or ` + "`10kb`, `5mb`, `1gb`" + `.
` + "`*`" + ` stands for any name, ` + "`[]`" + ` for the elements of a list. A key with **R** takes effect at the next start; all others do when the file changes. Keys that OpenClaw knows and that are not here are accepted, and a
line in the log names them; other unknown keys are errors.
`)
	part := ""
	for _, k := range keysOf("", Schema()) {
		if strings.HasPrefix(k.path, "session.resetByType.") && !strings.HasPrefix(k.path, "session.resetByType.direct.") {
			continue // as the first of them
		}
		top, _, _ := strings.Cut(k.path, ".")
		if !strings.Contains(k.path, ".") {
			top = "other"
		}
		if top != part {
			part = top
			fmt.Fprintf(&b, "\n## %s\n\n| key | | takes | default | |\n|---|---|---|---|---|\n", part)
		}
		w, _ := meaningOf(k.path)
		path, mark := strings.Replace(k.path, "resetByType.direct.", "resetByType.{direct,dm,group,thread}.", 1), ""
		if needsRestart(k.path) {
			mark = "R"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", path, mark, kind(k.schema), plain(w.usual), w.text)
	}
	return b.String()
}

// plain makes a default that is a value look like one.
func plain(usual string) string {
	if usual == "" || strings.ContainsAny(usual, "` ") {
		return usual
	}
	return "`" + usual + "`"
}

func needsRestart(path string) bool {
	return slices.ContainsFunc(lastingKeys(), func(key string) bool {
		return path == key || strings.HasPrefix(path, key+".") || strings.HasPrefix(key, "agents.list") && path == "agents.list[].default"
	})
}

func TestReferenceIsCurrent(t *testing.T) {
	file := filepath.Join("..", "..", "doc", "configuration.md")
	if *update {
		if err := os.WriteFile(file, []byte(referencePage()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != referencePage() {
		t.Errorf("doc/configuration.md is not what the program takes (%v): go test ./internal/config -run Reference -update", err)
	}
}
