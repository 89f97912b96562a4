package disktest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// image is what a directory holds, by path in it; parents come before what is
// in them when the paths are sorted.
type image map[string]object

// object is a directory, a file, or a symbolic link.
type object struct {
	dir  bool
	link string
	data []byte
	twin string // the first path of the same file
}

// load reads a directory.
func load(dir string) (image, error) {
	img, infos := image{}, map[string]fs.FileInfo{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		var o object
		switch d.Type() {
		case fs.ModeDir:
			o.dir = true
		case fs.ModeSymlink:
			o.link, err = os.Readlink(path)
		case 0:
			o.data, err = os.ReadFile(path)
			if info, fault := d.Info(); fault == nil {
				o.twin = twin(infos, info)
				infos[rel] = info
			}
		}
		img[rel] = o
		return err
	})
	return img, err
}

func twin(infos map[string]fs.FileInfo, info fs.FileInfo) string {
	for _, path := range slices.Sorted(maps.Keys(infos)) {
		if os.SameFile(infos[path], info) {
			return path
		}
	}
	return ""
}

// tree is the image as something durable that changes from here on.
func (img image) tree(path string, unit int64) *tree {
	t := &tree{path: path, unit: unit, root: newDirectory(), handles: map[uint64]*file{}}
	for _, rel := range slices.Sorted(maps.Keys(img)) {
		var n node
		switch o := img[rel]; {
		case o.dir:
			n = newDirectory()
		case o.link != "":
			n = symlink(o.link)
		case o.twin != "":
			n = t.at(filepath.Join(path, o.twin))
		default:
			n = newFile(o.data, unit)
		}
		d, name := t.parent(filepath.Join(path, rel))
		d.now[name], d.durable[name] = n, n
	}
	return t
}

// image is what the picked versions and names make of the tree.
func (t *tree) image(anyOrder bool) image {
	img, first := image{}, map[*file]string{}
	img.add("", t.root, anyOrder, first)
	return img
}

func (img image) add(path string, d *directory, anyOrder bool, first map[*file]string) {
	names := d.left(anyOrder)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		rel := filepath.Join(path, name)
		switch n := names[name].(type) {
		case *directory:
			img[rel] = object{dir: true}
			img.add(rel, n, anyOrder, first)
		case symlink:
			img[rel] = object{link: string(n)}
		case *file:
			o := object{data: n.content(), twin: first[n]}
			if o.twin == "" {
				first[n] = rel
			}
			img[rel] = o
		}
	}
}

func (img image) hash() [sha256.Size]byte {
	h := sha256.New()
	for _, rel := range slices.Sorted(maps.Keys(img)) {
		o := img[rel]
		fmt.Fprintf(h, "%q %t %q %q %d\n", rel, o.dir, o.link, o.twin, len(o.data))
		h.Write(o.data)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// write makes the image in an empty directory.
func (img image) write(dir string) error {
	for _, rel := range slices.Sorted(maps.Keys(img)) {
		o, path := img[rel], filepath.Join(dir, rel)
		var err error
		switch {
		case o.dir:
			err = os.Mkdir(path, 0o700)
		case o.link != "":
			err = os.Symlink(o.link, path)
		case o.twin != "":
			err = os.Link(filepath.Join(dir, o.twin), path)
		default:
			err = os.WriteFile(path, o.data, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// differs says in what the image differs from another one, but for the files
// whose names match one of the patterns.
func (img image) differs(other image, ignore []string) string {
	paths := maps.Clone(img)
	maps.Copy(paths, other)
	for _, rel := range slices.Sorted(maps.Keys(paths)) {
		a, inA := img[rel]
		b, inB := other[rel]
		same := inA == inB && a.dir == b.dir && a.link == b.link && a.twin == b.twin && bytes.Equal(a.data, b.data)
		if !same && !matches(rel, ignore) {
			return rel
		}
	}
	return ""
}

func matches(path string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, _ := filepath.Match(p, filepath.Base(path))
		return ok
	})
}
