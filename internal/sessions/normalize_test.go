package sessions

import (
	"errors"
	"testing"
)

func TestMigrateAndNormalize(t *testing.T) {
	for _, tt := range []struct{ in, migrated, normal string }{
		{`{"a":1.0,"sessionId":"s"}`, `{"a":1.0,"sessionId":"s"}`, `{"a":1.0,"sessionId":"s"}`},
		{
			`{"sessionId":"s","provider":"telegram","lastProvider":"telegram","lastTo":" 123 ","room":"#g"}`,
			`{"sessionId":"s","lastTo":" 123 ","channel":"telegram","lastChannel":"telegram","groupChannel":"#g"}`,
			`{"sessionId":"s","lastTo":"123","channel":"telegram","lastChannel":"telegram","groupChannel":"#g","deliveryContext":{"channel":"telegram","to":"123"}}`,
		},
		{
			`{"provider":"slack","channel":"discord","room":"#r","groupChannel":"#kept"}`,
			`{"provider":"slack","channel":"discord","groupChannel":"#kept"}`,
			`{"provider":"slack","channel":"discord","groupChannel":"#kept","deliveryContext":{"channel":"discord"},"lastChannel":"discord"}`,
		},
		{
			`{"room":7,"deliveryContext":{"channel":"Telegram","to":"42","accountId":"Acc One","threadId":9.7}}`,
			`{"deliveryContext":{"channel":"Telegram","to":"42","accountId":"Acc One","threadId":9.7}}`,
			`{"deliveryContext":{"channel":"telegram","to":"42","accountId":"acc-one","threadId":9},"lastChannel":"telegram","lastTo":"42","lastAccountId":"acc-one","lastThreadId":9}`,
		},
		{`{"model":" m2 ","modelProvider":" fake "}`, ``, `{"model":"m2","modelProvider":"fake"}`},
		{`{"model":"m2","modelProvider":" "}`, ``, `{"model":"m2"}`},
		{`{"model":"  ","modelProvider":"fake"}`, ``, `{}`},
		{`{"modelProvider":"fake"}`, ``, `{}`},
		{
			`{"lastChannel":"slack","lastTo":"C1","deliveryContext":{"channel":"telegram","to":"T1","accountId":"a"}}`, ``,
			`{"lastChannel":"slack","lastTo":"C1","deliveryContext":{"channel":"slack","to":"C1"}}`,
		},
		{`{"lastChannel":"","lastTo":"","lastAccountId":"!!"}`, ``, `{}`},
		{`{"lastChannel":" Google-Chat ","deliveryContext":{"channel":"gchat","to":"1"}}`, ``, `{"lastChannel":"googlechat","deliveryContext":{"channel":"googlechat","to":"1"},"lastTo":"1"}`},
		{`{"channel":"imsg","lastTo":"1"}`, ``, `{"channel":"imsg","lastTo":"1","deliveryContext":{"channel":"imessage","to":"1"},"lastChannel":"imessage"}`},
		{`{"lastChannel":"","channel":"x"}`, ``, `{"channel":"x"}`},
		{`{"origin":{"threadId":3},"channel":"t"}`, ``, `{"origin":{"threadId":3},"channel":"t","deliveryContext":{"channel":"t","threadId":3},"lastChannel":"t","lastThreadId":3}`},
		{`{"deliveryContext":{"threadId":"t9"}}`, ``, `{"deliveryContext":{"threadId":"t9"},"lastThreadId":"t9"}`},
		{`{"deliveryContext":{"channel":"a","extra":1},"lastChannel":"\u0061"}`, ``, `{"deliveryContext":{"channel":"a","extra":1},"lastChannel":"\u0061"}`},
	} {
		m := migrate(entryOf(t, tt.in))
		if tt.migrated != "" && string(m.Raw()) != tt.migrated {
			t.Errorf("migrate(%s)\n got %s\nwant %s", tt.in, m.Raw(), tt.migrated)
		}
		if got := normalize(m); string(got.Raw()) != tt.normal {
			t.Errorf("normalize(%s)\n got %s\nwant %s", tt.in, got.Raw(), tt.normal)
		}
	}
}

func TestNormalizingAloneWritesNothing(t *testing.T) {
	st := openOne(t, `{"a":{"provider":"x","lastTo":" 1 "},"b":{}}`)
	before := readFile(t, st.Path())
	e, _ := func() (Entry, bool) {
		var e Entry
		_ = st.View(func(v *Snapshot) error { e, _ = v.Get("a"); return nil })
		return e, true
	}()
	if got, want := string(e.Raw()), `{"lastTo":" 1 ","channel":"x"}`; got != want {
		t.Errorf("read %s, want it migrated and not normalised: %s", got, want)
	}
	if err := st.Update(t.Context(), func(*Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if got := readFile(t, st.Path()); got != before {
		t.Errorf("written: %s", got)
	}
	if err := set(t.Context(), st, "b", entryOf(t, `{"x":1}`)); err != nil {
		t.Fatal(err)
	}
	want := "{\n  \"a\": {\n    \"lastTo\": \"1\",\n    \"channel\": \"x\",\n    \"deliveryContext\": {\n      \"channel\": \"x\",\n      \"to\": \"1\"\n    },\n    \"lastChannel\": \"x\"\n  },\n  \"b\": {\n    \"x\": 1\n  }\n}"
	if got := storeText(t, st); got != want {
		t.Errorf("next write: %s", got)
	}
	_ = st.View(func(v *Snapshot) error {
		if e, _ := v.Get("a"); string(e.Raw()) != `{"lastTo":"1","channel":"x","deliveryContext":{"channel":"x","to":"1"},"lastChannel":"x"}` {
			t.Errorf("read %s, want what the file has by now", e.Raw())
		}
		return nil
	})
}

// The first change of a file brings all its entries in order. Readers see that
// at once, not when the file has been written, and also when the change is
// refused.
func TestReadersSeeTheWrittenFormAfterAChange(t *testing.T) {
	for name, change := range map[string]func(*Tx) error{
		"put":     func(tx *Tx) error { tx.Put("b", entryOf(t, `{"x":1}`)); return nil },
		"nothing": func(*Tx) error { return nil },
		"refused": func(*Tx) error { return errors.New("refused") },
	} {
		st := openOne(t, `{"a":{"model":" m ","lastTo":" 1 "},"b":{},"c":{"provider":"x","modelProvider":""}}`)
		both := func() (a, c string) {
			_ = st.View(func(v *Snapshot) error {
				for key, to := range map[string]*string{"a": &a, "c": &c} {
					e, _ := v.Get(key)
					*to = string(e.Raw())
				}
				return nil
			})
			return a, c
		}
		if a, c := both(); a != `{"model":" m ","lastTo":" 1 "}` || c != `{"modelProvider":"","channel":"x"}` {
			t.Errorf("before: %s, %s", a, c)
		}
		_ = st.Update(t.Context(), change)
		if a, c := both(); a != `{"model":"m","lastTo":"1","deliveryContext":{"to":"1"}}` || c != `{"channel":"x","deliveryContext":{"channel":"x"},"lastChannel":"x"}` {
			t.Errorf("%s: %s, %s", name, a, c)
		}
	}
}

func TestACPSurvivesAReplacement(t *testing.T) {
	st := openOne(t, `{"a":{"acp":{"id":1}}}`)
	if err := set(t.Context(), st, "a", entryOf(t, `{"x":1}`)); err != nil {
		t.Fatal(err)
	}
	_ = st.View(func(v *Snapshot) error {
		if e, _ := v.Get("a"); string(e.Raw()) != `{"x":1,"acp":{"id":1}}` {
			t.Errorf("entry %s", e.Raw())
		}
		return nil
	})
}
