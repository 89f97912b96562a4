package auth

import (
	"go/ast"
	"go/parser"
	"go/printer"
	gotoken "go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// secretWords are what expressions are called that may hold a secret.
var secretWords = regexp.MustCompile(`(?i)secret|token|password|bearer|reveal|credential|apikey`)

// comparers are functions that compare in a time that depends on their
// arguments.
var comparers = regexp.MustCompile(`^(strings\.(EqualFold|Compare|HasPrefix|HasSuffix|Contains|Index)|bytes\.(Equal|Compare|HasPrefix)|slices\.(Contains|Index|Equal)|cmp\.Compare|reflect\.DeepEqual)$`)

// fixed is what has no secret content: nothing, literals, constants of types.
var fixed = regexp.MustCompile(`^(nil|""|\x60\x60|true|false|-?[0-9]+|'.*'|".*")$`)

// harmless are names with such a word that stand for no secret.
var harmless = regexp.MustCompile(`^(AuthToken|AuthPassword|config\.Auth\w+|By\w+|[A-Z]?\w*(Missing|Mismatch|NotConfigured|Invalid)|tokenName|token\.\w+|len\(.*\)|.*\.(Kind|Mode|mode|Method|Reason)(\(\))?)$`)

// comparisons are the places of a source where a secret may be compared with ==,
// in a switch or by a function that stops at the first difference.
func comparisons(name string, src any) (found []string, err error) {
	files := gotoken.NewFileSet()
	f, err := parser.ParseFile(files, name, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	text := func(n ast.Node) string {
		var b strings.Builder
		if err := printer.Fprint(&b, files, n); err != nil {
			return ""
		}
		return b.String()
	}
	secret := func(e ast.Expr) bool {
		s := text(e)
		return secretWords.MatchString(s) && !harmless.MatchString(s) && !fixed.MatchString(s)
	}
	add := func(n ast.Node) { found = append(found, files.Position(n.Pos()).String()+": "+text(n)) }
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			comparing := n.Op == gotoken.EQL || n.Op == gotoken.NEQ || n.Op == gotoken.LSS || n.Op == gotoken.GTR
			if comparing && (secret(n.X) && !fixed.MatchString(text(n.Y)) && !harmless.MatchString(text(n.Y)) ||
				secret(n.Y) && !fixed.MatchString(text(n.X)) && !harmless.MatchString(text(n.X))) {
				add(n)
			}
		case *ast.SwitchStmt:
			if n.Tag != nil && secret(n.Tag) {
				add(n.Tag)
			}
		case *ast.CallExpr:
			if comparers.MatchString(text(n.Fun)) {
				for _, a := range n.Args {
					if secret(a) {
						add(n)
					}
				}
			}
		}
		return true
	})
	return found, nil
}

// Secrets are compared by equalSecrets and by nothing else: == stops at the first
// byte that differs, and its time tells how many were right.
func TestSecretsAreComparedInConstantTime(t *testing.T) {
	files := 0
	for _, pattern := range []string{"*.go", "../gateway/*.go", "../../cmd/parley/*.go", "../config/*.go"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			src, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			found, err := comparisons(name, src)
			if err != nil {
				t.Fatal(err)
			}
			files++
			for _, place := range found {
				t.Errorf("%s: use equalSecrets, or name it so that it is no secret", place)
			}
		}
	}
	if files < 50 {
		t.Errorf("%d files were read: the test looks in the wrong place", files)
	}
}

// TestComparisonsAreSeen makes sure that the check can fail.
func TestComparisonsAreSeen(t *testing.T) {
	for code, want := range map[string]int{
		`token == want`: 1, `got != c.Auth.Password.Reveal()`: 1, `subtle.ConstantTimeCompare(a, b) == 1`: 0, `t.secret() == ""`: 0, `"" != password`: 0,
		`strings.EqualFold(bearer, x)`: 1, `bytes.Equal(h, []byte(secret))`: 1, `slices.Contains(tokens, given)`: 1, `credentials == nil`: 0, `len(token) > 5`: 0,
		`strings.HasPrefix(x, apiKey)`: 1, `mode == config.AuthToken`: 0, `equalSecrets(token, want)`: 0,
	} {
		found, err := comparisons("x.go", "package x\nvar _ = "+code+"\n")
		if err != nil || len(found) != want {
			t.Errorf("%s: found %q, %v, want %d", code, found, err, want)
		}
	}
	if found, err := comparisons("x.go", "package x\nfunc f() { switch token {\ncase want:\n} }\n"); err != nil || len(found) != 1 {
		t.Errorf("a switch: found %q, %v", found, err)
	}
}
