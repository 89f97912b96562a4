package protocol

import (
	"reflect"
	"slices"
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
	if n := v.NumField(); n != len(rowMembers) || n != len(rowPlaces) {
		t.Errorf("%d members, %d places for %d fields", len(rowMembers), len(rowPlaces), n)
	}
	for _, m := range rowMembers {
		var one map[string]rawjson.Value
		if err := rawjson.Unmarshal(rawjson.MustMarshal(full), &one); err != nil {
			t.Fatal(err)
		}
		if got, want := string(full.Member(m.name)), string(one[m.name]); got != want || want == "" {
			t.Errorf("member %s is %s, want %s", m.name, got, want)
		}
		if got := (&Row{}).Member(m.name); got != nil && !slices.Contains([]string{"key", "kind", "updatedAt", "totalTokensFresh"}, m.name) {
			t.Errorf("without it member %s is %s", m.name, got)
		}
	}
	if got := full.Member("nothing"); got != nil {
		t.Errorf("an unknown member is %s", got)
	}
}
