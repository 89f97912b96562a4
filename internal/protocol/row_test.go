package protocol

import (
	"reflect"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/rawjson"
)

// plainRow is a Row that is encoded by its tags.
type plainRow Row

// A row that is encoded by hand must be what its tags say: with all members,
// with each one alone, and without any.
func TestRowIsEncodedByItsTags(t *testing.T) {
	full := Row{}
	v := reflect.ValueOf(&full).Elem()
	rows := []Row{{}, {UpdatedAt: rawjson.Value("null")}}
	for i := range v.NumField() {
		one := Row{UpdatedAt: rawjson.Value("7")}
		for _, f := range []reflect.Value{v.Field(i), reflect.ValueOf(&one).Elem().Field(i)} {
			switch f.Addr().Interface().(type) {
			case *rawjson.Value:
				f.SetBytes([]byte(`{"a":[1.50,"<é>"]}`))
			case *string:
				f.SetString("a \"<é>\n")
			case *bool:
				f.SetBool(true)
			case *[]string:
				f.Set(reflect.ValueOf([]string{"one", "\"two\""}))
			default:
				t.Fatalf("no value for a %s", f.Type())
			}
		}
		rows = append(rows, one)
	}
	for _, r := range append(rows, full) {
		p := plainRow(r)
		if p.UpdatedAt == nil {
			p.UpdatedAt = rawjson.Value("null")
		}
		if got, want := string(rawjson.MustMarshal(r)), string(rawjson.MustMarshal(p)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if n := v.NumField(); n != len(rowMembers) {
		t.Errorf("%d names for %d fields", len(rowMembers), n)
	}
	for _, m := range rowMembers {
		name := m.name
		if got := string(full.AppendMember([]byte("{"), name)); !strings.HasPrefix(got, `{,"`+name+`":`) {
			t.Errorf("member %s is %s", name, got)
		}
	}
	if got := full.AppendMember(nil, "nothing"); len(got) != 0 {
		t.Errorf("an unknown member is %s", got)
	}
}
