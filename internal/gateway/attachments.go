package gateway

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/runs"
)

const (
	attachmentLimit = 5_000_000 // bytes
	sniffChars      = 256       // of base64
	sniffLeast      = 8
)

// attachment is one element of attachments that has content.
type attachment struct {
	label   string
	mime    string // as declared
	content string // base64, perhaps as a data URL
}

// readAttachments keeps the elements that have content (spec: chat 2.3).
// Anything else is ignored.
func readAttachments(values []rawjson.Value) []attachment {
	var out []attachment
	for _, v := range values {
		o, err := rawjson.Parse(v)
		if err != nil {
			continue
		}
		a := attachment{mime: o.Text("mimeType"), content: o.Text("content")}
		if source, err := rawjson.Parse(o.Get("source")); a.content == "" && err == nil && source.Text("type") == "base64" {
			a.content = source.Text("data")
			if media := source.Text("media_type"); media != "" {
				a.mime = media
			}
		}
		if a.content == "" {
			continue
		}
		a.label = o.Text("fileName")
		if a.label == "" {
			a.label = o.Text("type")
		}
		if a.label == "" {
			a.label = fmt.Sprintf("attachment-%d", len(out)+1)
		}
		out = append(out, a)
	}
	return out
}

// plainBase64 is the base64 text of content, which may be a data URL.
func plainBase64(content string) string {
	content = jstext.Trim(content)
	if rest, ok := strings.CutPrefix(content, "data:"); ok {
		kind, data, ok := strings.Cut(rest, ";base64,")
		if ok && kind != "" && !strings.Contains(kind, ";") {
			return jstext.Trim(data)
		}
	}
	return content
}

// isBase64 reports whether text is base64 with its padding. (The decoder of the
// library is laxer: it skips line ends.)
func isBase64(text string) bool {
	body := strings.TrimRight(text, "=")
	if text == "" || len(text)%4 != 0 || len(text)-len(body) > 2 {
		return false
	}
	for i := range len(body) {
		c := body[i]
		if !(c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/') {
			return false
		}
	}
	return true
}

// parseAttachments checks attachments and keeps the pictures among them. The
// first bad one refuses all.
func parseAttachments(as []attachment, log *slog.Logger) ([]runs.Media, error) {
	var out []runs.Media
	for _, a := range as {
		content := plainBase64(a.content)
		if !isBase64(content) {
			return nil, protocol.Invalidf("Error: attachment %s: invalid base64 content", a.label)
		}
		padding := len(content) - len(strings.TrimRight(content, "="))
		if size := len(content)/4*3 - padding; size > attachmentLimit {
			return nil, protocol.Invalidf("Error: attachment %s: exceeds size limit (%d > %d bytes)", a.label, size, attachmentLimit)
		}
		mime := pictureType(a.mime, content)
		if mime == "" {
			log.Warn("an attachment that is no picture is left out", "attachment", a.label, "declared", a.mime)
			continue
		}
		out = append(out, runs.Media{MIME: mime, Base64: content})
	}
	return out, nil
}

// pictureType is the type of a picture by its first bytes, else as declared;
// "" for what is none.
func pictureType(declared, content string) string {
	if known := sniff(content); known != "" {
		if strings.HasPrefix(known, "image/") {
			return known
		}
		return ""
	}
	declared, _, _ = strings.Cut(declared, ";")
	if declared = jstext.Lower(jstext.Trim(declared)); strings.HasPrefix(declared, "image/") {
		return declared
	}
	return ""
}

// sniff is the type that the first bytes tell, "" when they tell none. Texts
// have no such bytes.
func sniff(content string) string {
	head := content[:min(len(content), sniffChars)]
	if len(head) < sniffLeast {
		return ""
	}
	data, err := base64.StdEncoding.DecodeString(head[:len(head)/4*4])
	if err != nil {
		return ""
	}
	if t := morePictures(data); t != "" {
		return t
	}
	t := http.DetectContentType(data)
	if strings.HasPrefix(t, "text/") || t == "application/octet-stream" {
		return ""
	}
	return t
}

// morePictures knows pictures that net/http does not.
func morePictures(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte("II*\x00")), bytes.HasPrefix(data, []byte("MM\x00*")):
		return "image/tiff"
	case len(data) < 12 || string(data[4:8]) != "ftyp":
		return ""
	}
	switch string(data[8:12]) {
	case "heic", "heix":
		return "image/heic"
	case "mif1", "msf1":
		return "image/heif"
	case "avif", "avis":
		return "image/avif"
	}
	return ""
}

var pictureExtensions = map[string]string{
	"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp", "image/bmp": "bmp", "image/tiff": "tiff",
	"image/heic": "heic", "image/heif": "heif", "image/avif": "avif", "image/svg+xml": "svg", "image/x-icon": "ico",
}

// mediaDir is where the pictures lie that came with messages.
func (g *Gateway) mediaDir() string { return filepath.Join(g.cfg().StateDir, "media", "inbound") }

// storeMedia writes pictures into the state directory, so that the transcript
// can name them. One that cannot be written is named nowhere, which is logged;
// the model gets it all the same.
func (g *Gateway) storeMedia(media []runs.Media) []runs.Media {
	for i, m := range media {
		ext := pictureExtensions[m.MIME]
		if ext == "" {
			ext = "bin"
		}
		path := filepath.Join(g.mediaDir(), uuid.NewString()+"."+ext)
		if err := writeMedia(g.disk, path, m.Base64); err != nil {
			g.log.Warn("a picture could not be stored", "path", path, "err", err)
			continue
		}
		media[i].Path = path
	}
	return media
}

// startWithMedia stores the pictures of a turn and starts its run. Where that
// starts none, the files go again.
func (g *Gateway) startWithMedia(t runs.Turn) (runs.Ticket, error) {
	t.Media = g.storeMedia(t.Media)
	ticket, err := g.engine.Start(t)
	if err == nil && ticket.State == runs.Started {
		return ticket, nil
	}
	for _, m := range t.Media {
		if m.Path == "" {
			continue
		}
		if err := removeMedia(g.disk, m.Path); err != nil {
			g.log.Warn("a picture that nobody needs stays", "path", m.Path, "err", err)
		}
	}
	return ticket, err
}

// writeMedia makes the file of a picture, durably, as the message that names it
// will be. Nothing is left of one that fails.
func writeMedia(files *disk.FS, path, content string) error {
	data, err := base64.StdEncoding.DecodeString(content)
	if err != nil {
		return err
	}
	if err := files.MkdirAll(filepath.Dir(path)); err != nil {
		return err
	}
	root, err := files.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer root.Close()
	name := filepath.Base(path)
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = root.SyncDir(".")
	}
	if err != nil {
		return errors.Join(err, root.Remove(name))
	}
	return nil
}

func removeMedia(files *disk.FS, path string) error {
	root, err := files.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer root.Close()
	return root.Remove(filepath.Base(path))
}
