package sessions

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/parleyd/parley/internal/rawjson"
)

// storeModel is what a store is, told simply: keys in order, and their labels.
type storeModel struct {
	keys   []string
	labels map[string]string
}

func (m *storeModel) clone() *storeModel {
	c := &storeModel{keys: slices.Clone(m.keys), labels: map[string]string{}}
	for k, v := range m.labels {
		c.labels[k] = v
	}
	return c
}

func (m *storeModel) put(key, label string) {
	if _, ok := m.labels[key]; !ok {
		m.keys = append(m.keys, key)
	}
	m.labels[key] = label
}

func (m *storeModel) remove(key string) {
	delete(m.labels, key)
	m.keys = slices.DeleteFunc(m.keys, func(k string) bool { return k == key })
}

// TestStoreIsLikeItsModel holds random changes, refusals, outside edits and
// reopenings against the model; every time memory, disk and model must agree.
func TestStoreIsLikeItsModel(t *testing.T) {
	c := configured(t, `{}`)
	key := rapid.SampledFrom([]string{"agent:main:a", "agent:main:A", "a", "agent:main:b", "agent:ops:c", "global"})
	label := rapid.StringMatching(`[a-c]{1,2}`)
	rapid.Check(t, func(t *rapid.T) {
		if err := os.RemoveAll(c.StateDir); err != nil {
			t.Fatal(err)
		}
		m := &storeModel{labels: map[string]string{}}
		st := openStore(c.StateDir+"/s/sessions.json", "main", Keys{DefaultAgent: "main"}, Options{Config: c})
		defer func() { _ = st.close() }()
		change := func(t *rapid.T, refuse bool) {
			// Drawn before, since a store may run a change twice.
			type op struct {
				kind       int
				key, label string
			}
			var ops []op
			for range rapid.IntRange(1, 4).Draw(t, "ops") {
				ops = append(ops, op{rapid.IntRange(0, 2).Draw(t, "kind"), key.Draw(t, "key"), label.Draw(t, "label")})
			}
			var staged *storeModel
			refusal := errors.New("refused")
			err := st.Update(t.Context(), func(tx *Tx) error {
				staged = m.clone()
				for _, o := range ops {
					switch o.kind {
					case 0:
						tx.Put(o.key, NewEntry(rawjson.NewObject(rawjson.Member{Name: "label", Value: rawjson.MustMarshal(o.label)})))
						staged.put(o.key, o.label)
					case 1:
						tx.Delete(o.key)
						staged.remove(o.key)
					case 2:
						claim(tx, staged, (Keys{DefaultAgent: "main"}).Canonical(o.key))
					}
				}
				if refuse {
					return refusal
				}
				return nil
			})
			if refuse != errors.Is(err, refusal) || err != nil && !refuse {
				t.Fatalf("update: %v", err)
			}
			if !refuse {
				m = staged
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"update": func(t *rapid.T) { change(t, false) },
			"refuse": func(t *rapid.T) { change(t, true) },
			"edit outside": func(t *rapid.T) {
				k, l := key.Draw(t, "key"), label.Draw(t, "label")
				if err := st.Checkpoint(t.Context()); err != nil { // or what is not in the file yet would stay
					t.Fatal(err)
				}
				m = &storeModel{labels: map[string]string{}}
				m.put(k, l)
				if err := os.MkdirAll(st.Dir(), 0o700); err != nil {
					t.Fatal(err)
				}
				// By rename, like every careful program: an edit in place within one
				// tick of the file system's clock cannot be told from none.
				tmp := st.Path() + ".edit"
				if err := os.WriteFile(tmp, fmt.Appendf(nil, `{%q:{"label":%q}}`, k, l), 0o600); err != nil {
					t.Fatal(err)
				}
				// Later, too: a file made of what was there before the checkpoint would
				// be one that undoes changes unknowingly.
				later := time.Now().Add(time.Minute)
				if err := errors.Join(os.Chtimes(tmp, later, later), os.Rename(tmp, st.Path())); err != nil {
					t.Fatal(err)
				}
			},
			"reopen": func(t *rapid.T) {
				if err := st.close(); err != nil {
					t.Fatal(err)
				}
				st = openStore(st.path, "main", st.keys, Options{Config: c})
			},
			"checkpoint": func(t *rapid.T) {
				if err := st.Checkpoint(t.Context()); err != nil {
					t.Fatal(err)
				}
				compareFile(t, st, m)
			},
			"crash": func(t *rapid.T) {
				// What a killed process leaves is what lies on the disk now.
				if err := os.RemoveAll(c.StateDir + "/crashed"); err != nil {
					t.Fatal(err)
				}
				st.checkpoints.one.Lock() // the copy must be of one moment
				err := os.CopyFS(c.StateDir+"/crashed", os.DirFS(st.Dir()))
				st.checkpoints.one.Unlock()
				if err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
				left := openStore(c.StateDir+"/crashed/sessions.json", "main", st.keys, Options{Config: c})
				compare(t, left, m)
				if err := left.close(); err != nil {
					t.Fatal(err)
				}
				compareFile(t, left, m)
			},
			"": func(t *rapid.T) { compare(t, st, m) },
		})
	})
}

// claim is Tx.Claim on both sides. No entry has a time, so the canonical
// spelling wins, else the first in the file.
func claim(tx *Tx, m *storeModel, target string) {
	tx.Claim(target)
	best, others := "", []string{}
	for _, k := range m.keys {
		if stored(k, "main") == target {
			if best == "" || k == target {
				best = k
			}
			others = append(others, k)
		}
	}
	if best == "" {
		return
	}
	l := m.labels[best]
	for _, k := range others {
		if k != target {
			m.remove(k)
		}
	}
	m.put(target, l)
}

// compareFile holds the file against the model.
func compareFile(t *rapid.T, st *Store, m *storeModel) {
	v := newSnapshot(st.keys, "main")
	if c, err := readContent(nil, st.Path(), st.keys, "main"); err != nil {
		t.Fatal(err)
	} else if v = c.view; v.damaged {
		t.Fatal("the file is damaged")
	}
	same(t, v, m)
}

func compare(t *rapid.T, st *Store, m *storeModel) {
	_ = st.View(func(v *Snapshot) error { same(t, v, m); return nil })
}

// same holds a content with all its indexes against the model.
func same(t *rapid.T, v *Snapshot, m *storeModel) {
	var keys []string
	for key := range v.All() {
		keys = append(keys, key)
	}
	if !slices.Equal(keys, m.keys) {
		t.Fatalf("keys %v, the model has %v", keys, m.keys)
	}
	for k, l := range m.labels {
		if e, ok := v.Get(k); !ok || e.Text("label") != l {
			t.Fatalf("%s: label %q, the model has %q", k, e.Text("label"), l)
		}
		if taken := v.LabelTaken(l, k); taken != slices.ContainsFunc(m.keys, func(o string) bool { return o != k && m.labels[o] == l }) {
			t.Fatalf("LabelTaken(%s, %s) = %v", l, k, taken)
		}
	}
	checkCounts(t, v)
	for _, tree := range []int{v.byKey.Len(), v.byCanon.Len(), v.recent.Len(), v.byLabel.Len(), v.order.Len()} {
		if tree != len(m.keys) {
			t.Fatalf("an index holds %d of %d", tree, len(m.keys))
		}
	}
}
