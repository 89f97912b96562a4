package config

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parleyd/parley/internal/json5"
	"github.com/parleyd/parley/internal/rawjson"
)

// Limits of $include.
const (
	maxIncludeDepth = 10
	maxIncludeBytes = 2 << 20
)

// An includer replaces {"$include": …} by the content of files.
type includer struct {
	root  string   // directory of the main file; all others lie in it
	files []string // what was read, absolute, each once
}

// resolve replaces every $include in v. chain holds the files on the way here,
// the one that contains v last.
func (in *includer) resolve(v rawjson.Value, chain []string) (rawjson.Value, error) {
	switch rawjson.Kind(v) {
	case '[':
		list, _ := rawjson.Array(v)
		for i := range list {
			r, err := in.resolve(list[i], chain)
			if err != nil {
				return nil, err
			}
			list[i] = r
		}
		return rawjson.MustMarshal(list), nil
	case '{':
		return in.object(v, chain)
	}
	return v, nil
}

func (in *includer) object(v rawjson.Value, chain []string) (rawjson.Value, error) {
	o, err := rawjson.Parse(v)
	if err != nil {
		return nil, err
	}
	var siblings rawjson.Object
	for name, member := range o.All() {
		if name == "$include" {
			continue
		}
		r, err := in.resolve(member, chain)
		if err != nil {
			return nil, err
		}
		siblings.Set(name, r)
	}
	if !o.Has("$include") {
		return siblings.JSON(), nil
	}
	content, err := in.directive(o.Get("$include"), chain)
	if err != nil || siblings.Len() == 0 {
		return content, err
	}
	if rawjson.Kind(content) != '{' {
		return nil, problemf("Sibling keys require included content to be an object")
	}
	return merge(content, siblings.JSON()), nil
}

// directive is the content that the value of one $include stands for.
func (in *includer) directive(v rawjson.Value, chain []string) (rawjson.Value, error) {
	if path, ok := rawjson.Text(v); ok {
		return in.load(path, chain)
	}
	paths, ok := rawjson.Array(v)
	if !ok {
		return nil, problemf("Invalid $include value: expected string or array of strings, got %s", typeOf(v))
	}
	content := rawjson.Value("{}")
	for _, p := range paths {
		path, ok := rawjson.Text(p)
		if !ok {
			return nil, problemf("Invalid $include array item: expected string, got %s", typeOf(p))
		}
		next, err := in.load(path, chain)
		if err != nil {
			return nil, err
		}
		content = merge(content, next)
	}
	return content, nil
}

// typeOf is what JavaScript's typeof says of a JSON value.
func typeOf(v rawjson.Value) string {
	switch k := kindOf(v); k {
	case "array", "null":
		return "object"
	default:
		return k
	}
}

// load reads one included file and what it includes itself.
func (in *includer) load(path string, chain []string) (rawjson.Value, error) {
	file := path
	if !filepath.IsAbs(file) {
		file = filepath.Join(filepath.Dir(chain[len(chain)-1]), file)
	}
	file = filepath.Clean(file)
	rel, err := in.inside(path, file)
	if err != nil {
		return nil, err
	}
	if slices.Contains(chain, file) {
		return nil, problemf("Circular include detected: %s", strings.Join(append(slices.Clone(chain), file), " -> "))
	}
	if len(chain) > maxIncludeDepth {
		return nil, problemf("Maximum include depth (%d) exceeded at: %s", maxIncludeDepth, path)
	}
	text, err := in.read(path, rel)
	if err != nil {
		return nil, in.readFailed(path, file, err)
	}
	v, err := json5.Parse(text)
	if err != nil {
		return nil, problemf("Failed to parse include file: %s (resolved: %s): %v", path, file, err)
	}
	if !slices.Contains(in.files, file) {
		in.files = append(in.files, file)
	}
	return in.resolve(v, append(slices.Clone(chain), file))
}

// inside checks that file lies in the root, also when symbolic links are
// followed, and gives its real path relative to the real root.
func (in *includer) inside(path, file string) (string, error) {
	rel, err := filepath.Rel(in.root, file)
	if err != nil || !filepath.IsLocal(rel) {
		return "", problemf("Include path escapes config directory: %s (root: %s)", path, in.root)
	}
	root, err := filepath.EvalSymlinks(in.root)
	if err != nil {
		return rel, nil // nothing to read there; reading tells
	}
	target, err := filepath.EvalSymlinks(file)
	if err != nil {
		return rel, nil
	}
	rel, err = filepath.Rel(root, target)
	if err != nil || !filepath.IsLocal(rel) {
		return "", problemf("Include path resolves outside config directory (symlink): %s (root: %s)", path, in.root)
	}
	return rel, nil
}

// errUnsafe marks a file that is not a plain file of moderate size.
var errUnsafe = errors.New("not a plain file")

func (in *includer) readFailed(path, file string, err error) error {
	if errors.Is(err, errUnsafe) {
		return problemf("Include file failed security checks (regular file, max %d bytes, no hardlinks): %s", maxIncludeBytes, path)
	}
	return problemf("Failed to read include file: %s (resolved: %s)", path, file)
}

// read reads a file of the root, given by its path in it. The root is entered
// again, so that a link made meanwhile leads nowhere else.
func (in *includer) read(path, rel string) (string, error) {
	root, err := os.OpenRoot(in.root)
	if err != nil {
		return "", err
	}
	defer root.Close()
	// Opening a pipe would wait for its other end: look before.
	if info, err := root.Stat(rel); err != nil {
		return "", err
	} else if !plainFile(info) {
		return "", errUnsafe
	}
	f, err := root.Open(rel)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return "", err
	} else if !plainFile(info) {
		return "", errUnsafe
	}
	text, err := io.ReadAll(io.LimitReader(f, maxIncludeBytes+1))
	if err == nil && len(text) > maxIncludeBytes {
		err = errUnsafe
	}
	return string(text), err
}

func plainFile(info os.FileInfo) bool {
	return info.Mode().IsRegular() && info.Size() <= maxIncludeBytes && links(info) <= 1
}

// merge lays over on base: objects member by member, arrays one behind the
// other, else over wins. Names that mean something to JavaScript's prototypes
// are dropped, as OpenClaw does.
func merge(base, over rawjson.Value) rawjson.Value {
	switch {
	case rawjson.Kind(base) == '[' && rawjson.Kind(over) == '[':
		a, _ := rawjson.Array(base)
		b, _ := rawjson.Array(over)
		return rawjson.MustMarshal(append(a, b...))
	case rawjson.Kind(base) == '{' && rawjson.Kind(over) == '{':
		a, errA := rawjson.Parse(base)
		b, errB := rawjson.Parse(over)
		if errA != nil || errB != nil {
			return over
		}
		for name, v := range b.All() {
			if old := a.Get(name); old != nil {
				v = merge(old, v)
			}
			a.Set(name, v)
		}
		a.Delete("__proto__", "prototype", "constructor")
		return a.JSON()
	}
	return over
}
