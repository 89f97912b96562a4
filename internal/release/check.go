package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// sums is the file of the checksums, in the form that sha256sum -c reads.
const sums = "SHA256SUMS"

// writeSums writes the checksums of all files in a directory.
func writeSums(dir string) error {
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(n os.DirEntry) bool { return n.Name() == sums })
	var lines strings.Builder
	for _, n := range names {
		sum, err := sumOf(filepath.Join(dir, n.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&lines, "%s  %s\n", sum, n.Name())
	}
	return os.WriteFile(filepath.Join(dir, sums), []byte(lines.String()), 0o644)
}

func sumOf(file string) (string, error) {
	content, err := os.ReadFile(file)
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:]), err
}

// check tells what is wrong with the files of a release: a checksum, an archive
// without its binary, a binary of Linux that needs a loader, a list of materials
// that names nothing.
func check(dir string) error {
	list, err := os.ReadFile(filepath.Join(dir, sums))
	if err != nil {
		return err
	}
	var listed []string
	var faults []error
	for in := bufio.NewScanner(bytes.NewReader(list)); in.Scan(); {
		want, name, ok := strings.Cut(in.Text(), "  ")
		if !ok || path.Base(name) != name {
			return fmt.Errorf("%s: %q is no line of checksums", sums, in.Text())
		}
		listed = append(listed, name)
		file := filepath.Join(dir, name)
		if got, err := sumOf(file); err != nil || got != want {
			faults = append(faults, errors.Join(err, fmt.Errorf("%s has the checksum %s, %s says %s", name, got, sums, want)))
			continue
		}
		switch {
		case strings.HasSuffix(name, ".tar.gz"):
			err = checkArchive(file)
		case strings.HasSuffix(name, ".cdx.json"):
			err = checkMaterials(file)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
	}
	there, err := os.ReadDir(dir)
	for _, n := range there {
		if n.Name() != sums && !slices.Contains(listed, n.Name()) {
			faults = append(faults, fmt.Errorf("%s has no checksum", n.Name()))
		}
	}
	if len(listed) == 0 {
		faults = append(faults, errors.New("there is nothing"))
	}
	return errors.Join(append(faults, err)...)
}

func checkArchive(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	t := tar.NewReader(z)
	for {
		h, err := t.Next()
		if err != nil {
			return errors.Join(errors.New("there is no parley in it"), err)
		}
		if path.Base(h.Name) != "parley" {
			continue
		}
		if h.Mode&0o111 == 0 {
			return errors.New("parley is not executable")
		}
		content, err := io.ReadAll(t)
		if err != nil {
			return err
		}
		if !strings.Contains(file, "-linux-") {
			return nil
		}
		return checkStatic(bytes.NewReader(content))
	}
}

// checkStatic is why a binary of Linux is not static, or nil.
func checkStatic(r io.ReaderAt) error {
	e, err := elf.NewFile(r)
	if err != nil {
		return err
	}
	for _, p := range e.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			return errors.New("parley is not static")
		}
	}
	return nil
}

func checkMaterials(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var b bom
	if err := json.Unmarshal(text, &b); err != nil {
		return err
	}
	if b.Format != "CycloneDX" || len(b.Components) < 2 || b.Metadata.Component.Name == "" {
		return errors.New("it names nothing")
	}
	return nil
}
