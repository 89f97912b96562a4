package protocol

import (
	"fmt"
	"math"
	"strconv"

	"github.com/parleyd/parley/internal/rawjson"
)

// Int is an integer in any of its JSON spellings: 10, 10.0, 1e1 and -0 are
// integers on the wire, because clients write JavaScript numbers. One that
// does not fit becomes the nearest that does.
type Int int64

// UnmarshalJSON reads a JSON number without a fraction.
func (i *Int) UnmarshalJSON(data []byte) error {
	if n, err := strconv.ParseInt(string(data), 10, 64); err == nil {
		*i = Int(n)
		return nil
	}
	if rawjson.Kind(data) != '0' || number(data) != math.Trunc(number(data)) {
		return fmt.Errorf("%s is not an integer", data)
	}
	*i = saturate(number(data))
	return nil
}

// MarshalJSON writes the plain decimal spelling.
func (i Int) MarshalJSON() ([]byte, error) { return strconv.AppendInt(nil, int64(i), 10), nil }

func saturate(f float64) Int {
	switch {
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return Int(f)
}
