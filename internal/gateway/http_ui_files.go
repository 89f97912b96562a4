package gateway

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// serveFile answers with a file of the Control UI, or with its first page where
// the path is one that the page itself makes something of.
func (g *Gateway) serveFile(w http.ResponseWriter, r *http.Request, below string) {
	where := g.cfg().Gateway.ControlUI.Root
	root, err := openPage(where)
	if err != nil {
		text(w, http.StatusServiceUnavailable, fmt.Sprintf("Control UI assets not found at %s. "+
			"Put the directory with its index.html there, or change gateway.controlUi.root.", where))
		return
	}
	defer root.Close()
	name, ok := fileName(below)
	if !ok {
		text(w, http.StatusNotFound, notFound)
		return
	}
	f, size, err := openPlain(root, name)
	if err != nil && contentTypes[strings.ToLower(path.Ext(name))].asset {
		text(w, http.StatusNotFound, notFound)
		return
	}
	if err != nil {
		name = "index.html"
		if f, size, err = openPlain(root, name); err != nil {
			text(w, http.StatusNotFound, notFound)
			return
		}
	}
	defer f.Close()
	if err := sendFile(w, r, f, name, size); err != nil {
		g.log.Debug("file of the Control UI not sent", "file", name, "err", err)
	}
}

// openPage opens the directory of the page's files, which is named itself or by
// its index.html.
func openPage(where string) (*os.Root, error) {
	if filepath.Base(where) == "index.html" {
		if info, err := os.Stat(where); err == nil && info.Mode().IsRegular() {
			where = filepath.Dir(where)
		}
	}
	root, err := os.OpenRoot(where)
	if err != nil {
		return nil, err
	}
	if info, err := root.Lstat("index.html"); err != nil || info.IsDir() {
		return nil, errors.Join(err, root.Close(), errNotPlain)
	}
	return root, nil
}

// fileName is the file that a path below the base path means. The path is not
// percent-decoded, and from the first /assets/ on it counts as if it began
// there: the page refers to its files relatively, from whatever path it has. A
// name that leads out of the directory is refused.
func fileName(below string) (string, bool) {
	name := strings.TrimPrefix(below, "/")
	if i := strings.Index(below, "/assets/"); i >= 0 {
		name = below[i+1:]
	}
	if name == "" || strings.HasSuffix(name, "/") {
		name += "index.html"
	}
	if strings.HasPrefix(name, "/") || strings.ContainsRune(name, 0) {
		return "", false
	}
	name = path.Clean(name)
	return name, filepath.IsLocal(filepath.FromSlash(name))
}

// openPlain opens a regular file that lies in root after following links and
// has no other name: a hard link may have been set to a file from elsewhere.
func openPlain(root *os.Root, name string) (*os.File, int64, error) {
	// Opening a pipe would wait for its other end: look before.
	if info, err := root.Stat(name); err != nil || !info.Mode().IsRegular() {
		return nil, 0, errors.Join(err, errNotPlain)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || links(info) > 1 {
		return nil, 0, errors.Join(err, errNotPlain, f.Close())
	}
	return f, info.Size(), nil
}

// maxPageBytes is the largest index.html; it is read as a whole.
const maxPageBytes = 8 << 20

// sendFile sends a file with its type. The policy of a page allows the scripts
// that stand in it.
func sendFile(w http.ResponseWriter, r *http.Request, f fs.File, name string, size int64) error {
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Type", contentType(name))
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	if r.Method == http.MethodHead {
		return nil
	}
	if path.Base(name) != "index.html" || size > maxPageBytes {
		_, err := io.CopyN(w, f, size)
		return err
	}
	page, err := io.ReadAll(io.LimitReader(f, size))
	if err != nil {
		return err
	}
	h.Set("Content-Length", strconv.Itoa(len(page))) // it may have become shorter
	setPolicy(h, scriptHashes(page))
	_, err = w.Write(page)
	return err
}

var (
	script    = regexp.MustCompile(`(?is)<script(\s[^>]*)?>(.*?)</script`)
	scriptSrc = regexp.MustCompile(`(?i)\ssrc\s*=`)
)

// scriptHashes are the hashes of the scripts that stand in a page, in order.
func scriptHashes(page []byte) []string {
	var hashes []string
	for _, m := range script.FindAllSubmatch(page, -1) {
		attributes, content := m[1], m[2]
		if len(content) == 0 || scriptSrc.Match(attributes) {
			continue
		}
		sum := sha256.Sum256(content)
		hashes = append(hashes, base64.StdEncoding.EncodeToString(sum[:]))
	}
	return hashes
}

// contentTypes are the types by extension. Assets are never replaced by the
// first page when they are missing.
var contentTypes = map[string]struct {
	text  string
	asset bool
}{
	".html": {"text/html; charset=utf-8", false},
	".js":   {"application/javascript; charset=utf-8", true},
	".css":  {"text/css; charset=utf-8", true},
	".json": {"application/json; charset=utf-8", true},
	".map":  {"application/json; charset=utf-8", true},
	".svg":  {"image/svg+xml", true},
	".png":  {"image/png", true},
	".jpg":  {"image/jpeg", true},
	".jpeg": {"image/jpeg", true},
	".gif":  {"image/gif", true},
	".webp": {"image/webp", true},
	".ico":  {"image/x-icon", true},
	".txt":  {"text/plain; charset=utf-8", true},
}

func contentType(name string) string {
	if t := contentTypes[strings.ToLower(path.Ext(name))].text; t != "" {
		return t
	}
	return "application/octet-stream"
}
