package gateway

import (
	"fmt"
	"testing"

	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

// Whatever lists are asked for, no more rows are remembered than said.
func TestRowCacheIsBounded(t *testing.T) {
	var c rowCache
	look := transcript.New(transcript.Options{}).Look(transcript.Ref{})
	for i := range 3 * maxRows {
		q := rowQuestion{key: fmt.Sprint(i)}
		c.put(q, listedRow{json: []byte("{}")})
		if len(c.rows) > maxRows {
			t.Fatalf("%d rows are remembered", len(c.rows))
		}
		if c.get(q, sessions.Entry{}, nil, nil, look) == nil {
			t.Fatalf("row %d was not remembered", i)
		}
	}
	if c.get(rowQuestion{key: "0"}, sessions.Entry{}, nil, nil, look) != nil || c.get(rowQuestion{key: fmt.Sprint(3*maxRows - 1)}, sessions.Entry{}, nil, []string{"x"}, look) != nil {
		t.Error("a row is there that was forgotten, or was made of something else")
	}
}
