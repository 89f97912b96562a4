// Package webui is Parley's own page: the files that a browser loads, and how
// they are served.
//
// The files lie in page/ as they are sent: no build step makes them, and nothing
// in them comes from elsewhere. The page itself is asked for anew each time; all
// that it loads stands below a path with a digest of all files, and is kept by
// browsers for good. What the page may load and do is in its policy, which allows
// no script, style or connection but to its own gateway.
//
// Who may see the page, and at which path, is the gateway's matter; the page
// holds nothing that needs a secret.
package webui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
)

//go:embed page
var files embed.FS

// pageName is the file that is the page; assetsPath is where the others are found.
const (
	pageName   = "index.html"
	assetsPath = "/assets/"
)

// Page is the page, ready to be served. Its methods are safe for concurrent use.
type Page struct {
	digest string           // of all files
	assets map[string]asset // by path: "/" and what the page refers to
}

// asset is one file.
type asset struct {
	contentType string
	content     []byte
	etag        string
	zipped      func() []byte // the content compressed, nil when that gains nothing
	kept        bool          // its path changes with its content
}

// New reads the files that the program carries. An error is one of the program.
func New() (*Page, error) {
	root, err := fs.Sub(files, "page")
	if err != nil {
		return nil, fmt.Errorf("read the page: %w", err)
	}
	return read(root)
}

// read makes a page of the files in root.
func read(root fs.FS) (*Page, error) {
	content := map[string][]byte{}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content[name], err = fs.ReadFile(root, name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the page: %w", err)
	}
	names := slices.Sorted(maps.Keys(content))
	p := &Page{digest: digest(names, content), assets: map[string]asset{}}
	for _, name := range names {
		at, text := assetsPath+p.digest+"/"+name, content[name]
		if name == pageName {
			at, text = "/", p.fill(text, names)
		}
		a, err := newAsset(name, text)
		if err != nil {
			return nil, err
		}
		a.kept = at != "/"
		p.assets[at] = a
	}
	if _, ok := p.assets["/"]; !ok {
		return nil, fmt.Errorf("read the page: there is no %s", pageName)
	}
	return p, nil
}

// digest tells one state of all files from another.
func digest(names []string, content map[string][]byte) string {
	h := sha256.New()
	for _, name := range names {
		fmt.Fprintf(h, "%s %d\n", name, len(content[name]))
		h.Write(content[name])
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// fill writes into the page where its assets are, and which modules a browser is
// to load at once rather than one after the other.
func (p *Page) fill(page []byte, names []string) []byte {
	assets := "." + assetsPath + p.digest
	var modules strings.Builder
	for _, name := range names {
		if path.Dir(name) == "js" && name != "js/theme.js" {
			fmt.Fprintf(&modules, "<link rel=\"modulepreload\" href=\"%s/%s\">\n", assets, name)
		}
	}
	page = bytes.ReplaceAll(page, []byte("<!--modules-->\n"), []byte(modules.String()))
	return bytes.ReplaceAll(page, []byte("{{assets}}"), []byte(assets))
}

// contentTypes are the types of what a page consists of.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
}

func newAsset(name string, content []byte) (asset, error) {
	contentType, ok := contentTypes[path.Ext(name)]
	if !ok {
		return asset{}, fmt.Errorf("the page has a file of a kind that is not served: %s", name)
	}
	sum := sha256.Sum256(content)
	return asset{
		contentType: contentType, content: content, etag: hex.EncodeToString(sum[:16]),
		zipped: sync.OnceValue(func() []byte { return zip(content) }), // when it is first asked for: tests start many gateways
	}, nil
}

// zip compresses a file, unless that gains next to nothing.
func zip(content []byte) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil
	}
	if _, err := w.Write(content); err != nil || w.Close() != nil || b.Len() > len(content)*9/10 {
		return nil
	}
	return b.Bytes()
}
