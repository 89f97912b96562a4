package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parleyd/parley/internal/json5"
	"github.com/parleyd/parley/internal/rawjson"
)

// include resolves the main file conf/main.json5 of dir.
func include(t *testing.T, dir string) (rawjson.Value, []string, error) {
	t.Helper()
	main := filepath.Join(dir, "conf", "main.json5")
	text, err := os.ReadFile(main)
	if err != nil {
		t.Fatal(err)
	}
	v, err := json5.Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	in := includer{root: filepath.Dir(main), files: []string{main}}
	got, err := in.resolve(v, []string{main})
	return got, in.files, err
}

func TestInclude(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"one file", map[string]string{"main": `{$include:'a'}`, "a": `{x:1}`}, `{"x":1}`},
		{"anything when alone", map[string]string{"main": `{l:{$include:'a'},n:{$include:'b'}}`, "a": `[1,2]`, "b": `'text'`}, `{"l":[1,2],"n":"text"}`},
		{"siblings win", map[string]string{"main": `{$include:'a',x:2,o:{q:1}}`, "a": `{x:1,y:1,o:{p:1,q:0}}`}, `{"x":2,"y":1,"o":{"p":1,"q":1}}`},
		{"several, left to right", map[string]string{"main": `{$include:['a','b']}`, "a": `{x:1,l:[1],k:1}`, "b": `{x:2,l:[2],m:1}`}, `{"x":2,"l":[1,2],"k":1,"m":1}`},
		{"none", map[string]string{"main": `{$include:[],x:1}`}, `{"x":1}`},
		{"kinds that differ", map[string]string{"main": `{$include:'a',x:{y:1},z:null}`, "a": `{x:[1],z:{a:1}}`}, `{"x":{"y":1},"z":null}`},
		{"inside arrays and objects", map[string]string{"main": `{a:[{b:{$include:'a'}}]}`, "a": `{x:1}`}, `{"a":[{"b":{"x":1}}]}`},
		{"nested, relative to each file", map[string]string{"main": `{$include:'d/a'}`, "d/a": `{$include:['./b','../c']}`, "d/b": `{b:1}`, "c": `{c:1}`}, `{"b":1,"c":1}`},
		{"twice is no circle", map[string]string{"main": `{a:{$include:'a'},b:{$include:'a'}}`, "a": `{x:1}`}, `{"a":{"x":1},"b":{"x":1}}`},
		{"names of prototypes are dropped", map[string]string{"main": `{$include:'a',constructor:1,x:{y:1}}`, "a": `{__proto__:1,prototype:2,x:{constructor:3}}`}, `{"x":{"y":1}}`},
		{"order of members", map[string]string{"main": `{z:1,$include:'a',b:1}`, "a": `{y:1,b:0,a:1}`}, `{"y":1,"b":1,"a":1,"z":1}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string]string{}
			for name, text := range tt.files {
				files["conf/"+strings.Replace(name, "main", "main.json5", 1)] = text
			}
			got, _, err := include(t, write(t, files))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestIncludeNamesItsFiles(t *testing.T) {
	dir := write(t, map[string]string{"conf/main.json5": `{a:{$include:'b'},c:{$include:'b'}}`, "conf/b": `{$include:'c'}`, "conf/c": `{}`})
	_, files, err := include(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{dir + "/conf/main.json5", dir + "/conf/b", dir + "/conf/c"}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestIncludeRefuses(t *testing.T) {
	tests := []struct {
		name, main string
		files      map[string]string
		prepare    func(t *testing.T, dir string)
		want       string // DIR stands for the test's directory
	}{
		{name: "leaves the directory", main: `{$include:'../x'}`, files: map[string]string{"x": `{}`}, want: `Include path escapes config directory: ../x (root: DIR/conf)`},
		{name: "absolute and outside", main: `{$include:'/etc/passwd'}`, want: `Include path escapes config directory: /etc/passwd (root: DIR/conf)`},
		{name: "a directory with the same beginning", main: `{$include:'../conf2/x'}`, files: map[string]string{"conf2/x": `{}`}, want: `Include path escapes config directory: ../conf2/x (root: DIR/conf)`},
		{name: "a link out of the directory", main: `{$include:'l'}`, files: map[string]string{"x": `{}`}, prepare: func(t *testing.T, dir string) { symlink(t, "../x", dir+"/conf/l") },
			want: `Include path resolves outside config directory (symlink): l (root: DIR/conf)`},
		{name: "a linked directory", main: `{$include:'l/x'}`, files: map[string]string{"out/x": `{}`}, prepare: func(t *testing.T, dir string) { symlink(t, dir+"/out", dir+"/conf/l") },
			want: `Include path resolves outside config directory (symlink): l/x (root: DIR/conf)`},
		{name: "itself", main: `{$include:'main.json5'}`, want: `Circular include detected: DIR/conf/main.json5 -> DIR/conf/main.json5`},
		{name: "a circle", main: `{$include:'a'}`, files: map[string]string{"conf/a": `{x:{$include:'b'}}`, "conf/b": `{$include:['a']}`},
			want: `Circular include detected: DIR/conf/main.json5 -> DIR/conf/a -> DIR/conf/b -> DIR/conf/a`},
		{name: "too deep", main: `{$include:'f1'}`, files: chain(11), want: `Maximum include depth (10) exceeded at: f11`},
		{name: "missing", main: `{$include:'gone'}`, want: `Failed to read include file: gone (resolved: DIR/conf/gone)`},
		{name: "no JSON5", main: `{$include:'a'}`, files: map[string]string{"conf/a": "{\n x }"}, want: `Failed to parse include file: a (resolved: DIR/conf/a): invalid character '}' at 2:4`},
		{name: "number", main: `{$include:1}`, want: `Invalid $include value: expected string or array of strings, got number`},
		{name: "object", main: `{$include:{}}`, want: `Invalid $include value: expected string or array of strings, got object`},
		{name: "null", main: `{$include:null}`, want: `Invalid $include value: expected string or array of strings, got object`},
		{name: "array of other things", main: `{$include:['a',true]}`, files: map[string]string{"conf/a": `{}`}, want: `Invalid $include array item: expected string, got boolean`},
		{name: "siblings beside an array", main: `{$include:'a',x:1}`, files: map[string]string{"conf/a": `[]`}, want: `Sibling keys require included content to be an object`},
		{name: "a directory", main: `{$include:'d'}`, files: map[string]string{"conf/d/": ""}, want: `Include file failed security checks (regular file, max 2097152 bytes, no hardlinks): d`},
		{name: "too large", main: `{$include:'a'}`, files: map[string]string{"conf/a": "{}" + strings.Repeat(" ", 2<<20)}, want: `Include file failed security checks (regular file, max 2097152 bytes, no hardlinks): a`},
		{name: "a second name", main: `{$include:'a'}`, files: map[string]string{"x": `{}`}, prepare: func(t *testing.T, dir string) {
			if err := os.Link(dir+"/x", dir+"/conf/a"); err != nil {
				t.Fatal(err)
			}
		}, want: `Include file failed security checks (regular file, max 2097152 bytes, no hardlinks): a`},
		{name: "a pipe", main: `{$include:'p'}`, prepare: func(t *testing.T, dir string) {
			if err := syscall.Mkfifo(dir+"/conf/p", 0o600); err != nil {
				t.Fatal(err)
			}
		}, want: `Include file failed security checks (regular file, max 2097152 bytes, no hardlinks): p`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string]string{"conf/main.json5": tt.main}
			for name, text := range tt.files {
				files[name] = text
			}
			dir := write(t, files)
			if tt.prepare != nil {
				tt.prepare(t, dir)
			}
			got, _, err := include(t, dir)
			if err == nil {
				t.Fatalf("got %s, want an error", got)
			}
			if want := strings.ReplaceAll(tt.want, "DIR", dir); err.Error() != want {
				t.Errorf("error\n got %s\nwant %s", err, want)
			}
		})
	}
}

// chain is n files that include each other in a row; the last is empty.
func chain(n int) map[string]string {
	files := map[string]string{}
	for i := 1; i < n; i++ {
		files[fmt.Sprintf("conf/f%d", i)] = fmt.Sprintf(`{$include:'f%d'}`, i+1)
	}
	files[fmt.Sprintf("conf/f%d", n)] = `{x:1}`
	return files
}

func symlink(t *testing.T, to, name string) {
	t.Helper()
	if err := os.Symlink(to, name); err != nil {
		t.Fatal(err)
	}
}

func TestIncludeAtItsLimits(t *testing.T) {
	files := chain(10)
	files["conf/main.json5"] = `{$include:'f1',big:{$include:'big'},link:{$include:'inner'}}`
	files["conf/big"] = `{}` + strings.Repeat(" ", 2<<20-2)
	files["conf/real"] = `'r'`
	dir := write(t, files)
	symlink(t, "real", dir+"/conf/inner")
	got, _, err := include(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"x":1,"big":{},"link":"r"}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
