package disktest

// versions is something on the disk that changes: the first is durable, the
// others came later and may have reached the disk or not.
type versions[T any] struct {
	all     []T
	picked  int  // which one the power cut leaves
	doubted bool // a sync failed and nothing was written since
}

func newVersions[T any](durable T) *versions[T] { return &versions[T]{all: []T{durable}} }

func (v *versions[T]) last() T { return v.all[len(v.all)-1] }

func (v *versions[T]) pick() T { return v.all[v.picked] }

func (v *versions[T]) push(next T) { v.all, v.doubted = append(v.all, next), false }

// synced makes the last version durable.
func (v *versions[T]) synced() {
	if !v.doubted {
		v.all = v.all[len(v.all)-1:]
	}
}

// syncFailed leaves it open for good which version is on the disk: the system
// may take for written what is not.
func (v *versions[T]) syncFailed() { v.doubted = len(v.all) > 1 }

// file is an inode.
type file struct {
	unit   int64 // bytes that reach the disk together
	size   *versions[int64]
	blocks map[int64]*versions[[]byte] // without the zeros at a block's end
}

func newFile(content []byte, unit int64) *file {
	f := &file{unit: unit, size: newVersions(int64(len(content))), blocks: map[int64]*versions[[]byte]{}}
	for i := int64(0); i*unit < int64(len(content)); i++ {
		f.blocks[i] = newVersions(content[i*unit : min((i+1)*unit, int64(len(content)))])
	}
	return f
}

func (f *file) block(i int64) *versions[[]byte] {
	b := f.blocks[i]
	if b == nil {
		b = newVersions[[]byte](nil)
		f.blocks[i] = b
	}
	return b
}

func (f *file) write(data []byte, off int64) {
	end := off + int64(len(data))
	switch size := f.size.last(); {
	case size < end && len(data) > 0:
		f.grow(end)
	case size == end && f.size.doubted:
		f.size.push(size) // written again
	}
	for len(data) > 0 {
		i, from := off/f.unit, off%f.unit
		n := min(f.unit-from, int64(len(data)))
		b := f.block(i)
		next := make([]byte, max(int64(len(b.last())), from+n))
		copy(next, b.last())
		copy(next[from:], data[:n])
		b.push(next)
		data, off = data[n:], off+n
	}
}

// grow makes the file longer. The size may reach the disk block by block: the
// first, a middle and the last step stand for all.
func (f *file) grow(end int64) {
	first, last := f.size.last()/f.unit+1, (end-1)/f.unit
	steps := []int64{first, (first + last) / 2, last}
	for i, step := range steps {
		if step*f.unit < end && first <= last && (i == 0 || step > steps[i-1]) {
			f.size.push(step * f.unit)
		}
	}
	f.size.push(end)
}

func (f *file) truncate(size int64) {
	if size == f.size.last() {
		return
	}
	f.size.push(size)
	for i, b := range f.blocks {
		if left := max(size-i*f.unit, 0); left < int64(len(b.last())) {
			b.push(b.last()[:left])
		}
	}
}

func (f *file) sync(failed bool) {
	settle(f.size, failed)
	for _, b := range f.blocks {
		settle(b, failed)
	}
}

func settle[T any](v *versions[T], failed bool) {
	if failed {
		v.syncFailed()
	} else {
		v.synced()
	}
}

// content is what the picked versions make of the file.
func (f *file) content() []byte {
	out := make([]byte, f.size.pick())
	for i, b := range f.blocks {
		if i*f.unit < int64(len(out)) {
			copy(out[i*f.unit:], b.pick())
		}
	}
	return out
}
