package main

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/parleyd/parley/internal/rawjson"
)

// A bundle is a file of sessions: a tar file that any tar program opens.
//
//	parley-sessions.json            what it is
//	sessions/0001/session.json      key and entry, as it is stored
//	sessions/0001/transcript.jsonl  the transcript, byte by byte; if there is one
//
// The names of the directories mean nothing: nothing is ever unpacked to them.
const (
	bundleFormat  = "parley-sessions"
	bundleVersion = 1
	bundleHeadAt  = "parley-sessions.json"
)

// bundleHead says what the file is.
type bundleHead struct {
	Format     string `json:"format"`
	Version    int    `json:"version"`
	ExportedAt string `json:"exportedAt"`
	By         string `json:"by"` // the version of the program
	Sessions   int    `json:"sessions"`
}

// bundled is one session.json.
type bundled struct {
	Key     string        `json:"key"`
	AgentID string        `json:"agentId"`
	Entry   rawjson.Value `json:"entry"`
	// Bytes is the size of the transcript, nil when there is none.
	Bytes *int64 `json:"transcriptBytes"`
}

// sessionLimit is the largest session.json that is read.
const sessionLimit = 16 << 20

// bundleWriter writes a bundle.
type bundleWriter struct {
	tar *tar.Writer
	gz  *gzip.Writer // nil when it is not compressed
	at  time.Time
	n   int
}

func newBundleWriter(w io.Writer, compress bool, at time.Time, count int) (*bundleWriter, error) {
	b := &bundleWriter{at: at}
	if compress {
		b.gz = gzip.NewWriter(w)
		w = b.gz
	}
	b.tar = tar.NewWriter(w)
	head := bundleHead{Format: bundleFormat, Version: bundleVersion, ExportedAt: at.UTC().Format(time.RFC3339), By: "parley " + versionText(), Sessions: count}
	return b, b.json(bundleHeadAt, head)
}

// add writes a session and its transcript, which is nil when there is none.
func (b *bundleWriter) add(s bundled, transcript io.Reader) error {
	b.n++
	dir := fmt.Sprintf("sessions/%04d", b.n)
	if err := b.json(dir+"/session.json", s); err != nil || s.Bytes == nil {
		return err
	}
	if err := b.header(dir+"/transcript.jsonl", *s.Bytes); err != nil {
		return err
	}
	n, err := io.Copy(b.tar, transcript)
	if err == nil && n != *s.Bytes {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (b *bundleWriter) json(name string, v any) error {
	text, err := rawjson.Marshal(v)
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if err := b.header(name, int64(len(text))); err != nil {
		return err
	}
	_, err = b.tar.Write(text)
	return err
}

func (b *bundleWriter) header(name string, size int64) error {
	return b.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: b.at.Truncate(time.Second)})
}

// close ends the file; what it was written to stays open.
func (b *bundleWriter) close() error {
	err := b.tar.Close()
	if err == nil && b.gz != nil {
		err = b.gz.Close()
	}
	return err
}

var errNoBundle = errors.New("that is no file that \"parley sessions export\" wrote")

// readBundle hands each session of a bundle to take, with its transcript, which
// is nil when there is none and must be read before take returns.
func readBundle(r io.Reader, take func(head bundleHead, s bundled, transcript io.Reader) error) error {
	in, err := unzipped(r)
	if err != nil {
		return err
	}
	t := tar.NewReader(in)
	var head bundleHead
	if err := nextJSON(t, bundleHeadAt, &head); err != nil || head.Format != bundleFormat {
		return errNoBundle
	}
	if head.Version > bundleVersion {
		return fmt.Errorf("a later version of parley wrote the file (%s)", oneLine(head.By))
	}
	for n := 0; ; n++ {
		var s bundled
		switch err := nextJSON(t, "session.json", &s); {
		case errors.Is(err, io.EOF) && n == head.Sessions:
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("the file has %d of %d sessions: it was not written to its end", n, head.Sessions)
		case err != nil:
			return fmt.Errorf("read session %d of the file: %w", n+1, err)
		}
		var transcript io.Reader
		if s.Bytes != nil {
			if err := next(t, "transcript.jsonl"); err != nil {
				return fmt.Errorf("read the transcript of %s: %w", s.Key, err)
			}
			transcript = t
		}
		if err := take(head, s, transcript); err != nil {
			return err
		}
	}
}

// unzipped is r, or what is compressed in it.
func unzipped(r io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	if magic, err := b.Peek(2); err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return b, nil
	}
	return gzip.NewReader(b)
}

// next goes to the next file of the tar file, which must have this base name.
func next(t *tar.Reader, name string) error {
	h, err := t.Next()
	for err == nil && h.Typeflag == tar.TypeDir { // somebody packed it again
		h, err = t.Next()
	}
	if err == nil && (path.Base(h.Name) != name || h.Typeflag != tar.TypeReg) {
		err = fmt.Errorf("%q stands where %s belongs", h.Name, name)
	}
	return err
}

func nextJSON(t *tar.Reader, name string, v any) error {
	if err := next(t, name); err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(t, sessionLimit))
	if err != nil {
		return err
	}
	return rawjson.Unmarshal(text, v)
}
