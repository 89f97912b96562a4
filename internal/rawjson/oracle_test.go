package rawjson

import (
	"bytes"
	stdjson "encoding/json"

	"github.com/go-json-experiment/json/jsontext"
)

// parseByTokens is Parse by other people's means: encoding/json takes white
// space out and gives the verdict, jsontext splits and decodes. Tests compare
// the two, so nothing of the scanner may be used here.
func parseByTokens(data []byte) (members []Member, err error) {
	var c bytes.Buffer
	if err := stdjson.Compact(&c, data); err != nil {
		return nil, err
	}
	compact := c.Bytes()
	if compact[0] != '{' {
		return nil, ErrNotObject
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(compact), reading)
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	places := map[string]int{}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		from := dec.InputOffset() + 1 // behind the colon
		if err := dec.SkipValue(); err != nil {
			return nil, err
		}
		value := Value(compact[from:dec.InputOffset()])
		if i, ok := places[key]; ok {
			members[i].Value = value
			continue
		}
		places[key] = len(members)
		members = append(members, Member{key, value})
	}
	return members, nil
}

// textByUnmarshal is Text in the same way.
func textByUnmarshal(v Value) (string, bool) {
	if Kind(v) != '"' {
		return "", false
	}
	var s string
	if err := Unmarshal(v, &s); err != nil {
		return "", false
	}
	return s, true
}

// arrayByUnmarshal is Array in the same way.
func arrayByUnmarshal(v Value) ([]Value, bool) {
	if Kind(v) != '[' {
		return nil, false
	}
	out := []Value{}
	if err := Unmarshal(v, &out); err != nil {
		return nil, false
	}
	return out, true
}
