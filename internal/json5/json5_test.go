package json5

import (
	"errors"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/rawjson"
)

// accepted holds texts and the JSON that they mean.
var accepted = []struct{ name, text, want string }{
	{"plain JSON", ` {"a": [1, 2.50, -3e4, true, false, null, "x"]} `, `{"a":[1,2.50,-3e4,true,false,null,"x"]}`},
	{"scalar", `'x'`, `"x"`},
	{"empty object and array", `[{},[],{ },[ ]]`, `[{},[],{},[]]`},
	{"trailing commas", `{a:[1,2,],b:{c:1,},}`, `{"a":[1,2],"b":{"c":1}}`},
	{"line comment", "// one\n{// two\na:1 // three\n}// four", `{"a":1}`},
	{"line comment ended by U+2028", "{a:1}// x\u2028 ", `{"a":1}`},
	{"block comment", "/* * / ** */{/*x*/a/*y*/:/*\n*/1/*z*/}/**/", `{"a":1}`},
	{"white space", "\t\v\f \u00a0\ufeff\n\r\u2028\u2029\u20031", `1`},
	{"names without quotes", `{$:1,_a9:2,été:3,null:4,ⅷ:5,日本:6}`, `{"$":1,"_a9":2,"été":3,"null":4,"ⅷ":5,"日本":6}`},
	{"name with escape", `{\u0061b\u0031:1}`, `{"ab1":1}`},
	{"name with combining mark and joiner", "{e\u0301\u200cx\u203f:1}", "{\"e\u0301\u200cx\u203f\":1}"},
	{"quoted names", `{'a b':1,"":2,'\x41':3}`, `{"a b":1,"":2,"A":3}`},
	{"order of names", `{z:1,a:2}`, `{"z":1,"a":2}`},
	{"repeated name", `{a:1,b:2,'a':{x:[3]},c:4,\u0061:5}`, `{"a":5,"b":2,"c":4}`},
	{"repeated name inside", `[{a:{b:1,b:2},a:{c:[1],c:3}}]`, `[{"a":{"c":3}}]`},
	{"numbers", `[0,-0,+1,1.,.5,-.5,5.e3,1e+2,1E-2]`, `[0,-0,1,1,0.5,-0.5,5e3,1e+2,1E-2]`},
	{"hexadecimal", `[0x0,0XfF,-0x10,+0xDEADbeef,0xFFFFFFFFFFFFFFFFFF]`, `[0,255,-16,3735928559,4722366482869645213695]`},
	{"hexadecimal beyond all numbers", "0x" + strings.Repeat("f", 300), `1e999`},
	{"hexadecimal with leading zeros", "0x" + strings.Repeat("0", 300) + "a", `10`},
	{"infinite", `[Infinity,+Infinity,-Infinity,NaN,-NaN]`, `[1e999,1e999,-1e999,null,null]`},
	{"long numbers keep their digits", `12345678901234567890.10`, `12345678901234567890.10`},
	{"quotes in quotes", `["'",'"','\'','\"']`, `["'","\"","'","\""]`},
	{"escapes", `'\b\f\n\r\t\v\0\x7e\u00e9\\\/\a\q'`, `"\u0008\u000c\u000a\u000d\u0009\u000b\u0000~é\\/aq"`},
	{"line continuation", "'a\\\nb\\\r\nc\\\rd\\\u2028e\\\u2029f'", `"abcdef"`},
	{"separators in a string", "'\u2028\u2029\t'", "\"\u2028\u2029\\u0009\""},
	{"surrogate pair", `'\ud83d\ude00'`, `"😀"`},
	{"surrogate pair over two lines", "'\\ud83d\\\n\\ude00'", `"😀"`},
	{"lone surrogates", `['\ud83dx','\ude00','\ud83d\ud83d\ude00','\ud83d']`, `["\ud83dx","\ude00","\ud83d😀","\ud83d"]`},
	{"not UTF-8", "'\xff'", "\"\ufffd\""},
	{"html stays", `'<&>'`, `"<&>"`},
	{"proto is a name", `{__proto__:1}`, `{"__proto__":1}`},
}

func TestParse(t *testing.T) {
	for _, tt := range accepted {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.text)
			if err != nil {
				t.Fatalf("Parse(%q): %v", tt.text, err)
			}
			if string(got) != tt.want {
				t.Errorf("Parse(%q)\n got %s\nwant %s", tt.text, got, tt.want)
			}
			if !rawjson.Valid(got) {
				t.Errorf("Parse(%q) = %s, which is no JSON", tt.text, got)
			}
		})
	}
}

// refused holds texts and the error that they give.
var refused = []struct{ name, text, want string }{
	{"empty", ``, `invalid end of input at 1:1`},
	{"only a comment", "// x\n", `invalid end of input at 2:1`},
	{"text behind the value", `{} x`, `invalid character 'x' at 1:4`},
	{"two values", `1 2`, `invalid character '2' at 1:3`},
	{"open object", "{\n a: 1,\n", `invalid end of input at 3:1`},
	{"open array", `[1`, `invalid end of input at 1:3`},
	{"wrong bracket", `[1}`, `invalid character '}' at 1:3`},
	{"comma first", `[,]`, `invalid character ',' at 1:2`},
	{"two commas", `{a:1,,}`, `invalid character ',' at 1:6`},
	{"no comma", `[1 2]`, `invalid character '2' at 1:4`},
	{"no colon", `{a 1}`, `invalid character '1' at 1:4`},
	{"no value", `{a:}`, `invalid character '}' at 1:4`},
	{"number as name", `{1:2}`, `invalid character '1' at 1:2`},
	{"name begins with a mark", "{\u0301:2}", "invalid character '\u0301' at 1:2"},
	{"name with wrong escape", `{\x61:1}`, `invalid character 'x' at 1:3`},
	{"name with escaped sign", `{a\u0020:1}`, `invalid identifier character at 1:3`},
	{"unknown word", `{a: yes}`, `invalid character 'y' at 1:5`},
	{"word cut", `nul`, `invalid end of input at 1:4`},
	{"word too long", `truely`, `invalid character 'l' at 1:5`},
	{"word in capitals", `True`, `invalid character 'T' at 1:1`},
	{"undefined", `undefined`, `invalid character 'u' at 1:1`},
	{"leading zero", `01`, `invalid character '1' at 1:2`},
	{"lone point", `.`, `invalid end of input at 1:2`},
	{"point with exponent", `.e1`, `invalid character 'e' at 1:2`},
	{"no exponent", `1e`, `invalid end of input at 1:3`},
	{"exponent with two signs", `1e+-1`, `invalid character '-' at 1:4`},
	{"no hexadecimal digit", `0xg`, `invalid character 'g' at 1:3`},
	{"two signs", `+-1`, `invalid character '-' at 1:2`},
	{"sign and space", `- 1`, `invalid character ' ' at 1:2`},
	{"sign and word", `-null`, `invalid character 'n' at 1:2`},
	{"underscore", `1_0`, `invalid character '_' at 1:2`},
	{"open string", `'abc`, `invalid end of input at 1:5`},
	{"wrong quote", `'abc"`, `invalid end of input at 1:6`},
	{"line end in a string", "'a\nb'", `invalid character '\n' at 1:3`},
	{"octal escape", `'\1'`, `invalid character '1' at 1:3`},
	{"digit behind a null escape", `'\01'`, `invalid character '1' at 1:4`},
	{"short x escape", `'\x4'`, `invalid character '\'' at 1:5`},
	{"short u escape", `'\u004'`, `invalid character '\'' at 1:7`},
	{"backslash at the end", `'\`, `invalid end of input at 1:3`},
	{"open comment", "1\n/* x *", `invalid end of input at 2:7`},
	{"lone slash", `1 / 2`, `invalid character ' ' at 1:4`},
	{"hash comment", "# x\n1", `invalid character '#' at 1:1`},
	{"lines and columns", "{\r\n  a: 'é😀', \r\n  b: ?\r\n}", `invalid character '?' at 3:6`},
	{"column behind wide characters", "'é😀' x", `invalid character 'x' at 1:6`},
	{"lines ended by CR", "\r\r ?", `invalid character '?' at 3:2`},
	{"too deep", strings.Repeat("[", 501), `more than 500 levels of nesting at 1:501`},
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range refused {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.text)
			if err == nil {
				t.Fatalf("Parse(%q) = %s, want an error", tt.text, got)
			}
			if err.Error() != tt.want {
				t.Errorf("Parse(%q)\n got %s\nwant %s", tt.text, err, tt.want)
			}
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Errorf("Parse(%q): error is a %T, want *Error", tt.text, err)
			}
		})
	}
}

func TestDeepestNestingIsRead(t *testing.T) {
	text := strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth)
	if got, err := Parse(text); err != nil || string(got) != text {
		t.Errorf("%d levels: error %v", maxDepth, err)
	}
}

// What Parse gives is JSON, and reading that again changes nothing.
func FuzzParse(f *testing.F) {
	for _, tt := range accepted {
		f.Add(tt.text)
	}
	for _, tt := range refused {
		f.Add(tt.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, err := Parse(text)
		if err != nil {
			if e, ok := errors.AsType[*Error](err); !ok || e.Line < 1 || e.Column < 1 {
				t.Fatalf("error %v has no place", err)
			}
			return
		}
		if !rawjson.Valid(first) {
			t.Fatalf("%q became %s, which is no JSON", text, first)
		}
		second, err := Parse(string(first))
		if err != nil {
			t.Fatalf("own output %s: %v", first, err)
		}
		if string(second) != string(first) {
			t.Fatalf("%s became %s when read again", first, second)
		}
	})
}
