package rawjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// compareStream checks that ReadObject says of data what Walk says.
func compareStream(t *testing.T, data []byte) {
	t.Helper()
	var want []string
	wantErr := Walk(data, func(name []byte, v Value) error {
		v, err := Compact(v)
		want = append(want, string(name)+"="+string(v))
		return err
	})
	for how, r := range map[string]io.Reader{"whole": bytes.NewReader(data), "by bytes": iotest.OneByteReader(bytes.NewReader(data))} {
		var got []string
		err := ReadObject(r, func(name []byte, v Value) error {
			got = append(got, string(name)+"="+string(v))
			return nil
		})
		if fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Fatalf("%s: ReadObject(%.200q) = %v, want %v", how, data, err, wantErr)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%s: ReadObject(%.200q) tells %d members, want %d, or others", how, data, len(got), len(want))
		}
	}
}

// Objects longer than what is read at a time, with members that lie across its
// borders and some that are longer themselves, whole and cut off anywhere.
func TestReadObjectInParts(t *testing.T) {
	var b strings.Builder
	b.WriteString(" {")
	for i := 0; b.Len() < 3*firstRead; i++ {
		if i > 0 {
			b.WriteString(" , ")
		}
		fmt.Fprintf(&b, "\n  \"k%d\\n\" : { \"n\" : [ %d , true ] , \"pad\" : %q }", i, i, strings.Repeat("x", i*37%5000))
		if i == 40 {
			fmt.Fprintf(&b, ", \"long\": [ %q, 1e3 ]", strings.Repeat("\n", 2*firstRead))
		}
	}
	whole := b.String()
	for _, tail := range []string{"}", " } \n ", "", ",", ",}", "} x", `, "a"`, `, "a": 1`, `, "a": tru}`, "]"} {
		compareStream(t, []byte(whole+tail))
	}
	for cut := len(whole) - 5000; cut < len(whole); cut += 997 {
		compareStream(t, []byte(whole[:cut]))
	}
	compareStream(t, []byte(whole[:firstRead]+"\x01"+whole[firstRead:]+"}"))
	compareStream(t, []byte(strings.Repeat(" ", 2*firstRead)+"{}"+strings.Repeat(" ", 2*firstRead)+"y"))
	compareStream(t, []byte(`{"a":`+strings.Repeat("[", maxDepth)+strings.Repeat("]", maxDepth)+"}"))
}

func TestReadObjectEndsWithErrors(t *testing.T) {
	stop := errors.New("stop")
	calls := 0
	if err := ReadObject(strings.NewReader(`{"a":1,"b":2}`), func([]byte, Value) error { calls++; return stop }); err != stop || calls != 1 {
		t.Errorf("ReadObject = %v after %d calls", err, calls)
	}
	for _, text := range []string{"", " ", "{", `{"a"`, `{"a":1`, `{"a":1,`, `{"a":1}`, "[1"} {
		broken := io.MultiReader(strings.NewReader(text), iotest.ErrReader(stop))
		if err := ReadObject(broken, func([]byte, Value) error { return nil }); err != stop {
			t.Errorf("%q: %v, want the error of the reader", text, err)
		}
	}
}
