package main

import (
	"io"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/width"

	"github.com/parleyd/parley/internal/jstext"
)

// column is one column of a table.
type column struct {
	title string
	right bool // aligned right, for numbers
	// give says that the column is made narrower when a terminal has no room for
	// all, and from where its texts lose: from the middle, where both ends tell
	// them apart, or from the end.
	give give
}

type give int

const (
	never give = iota
	fromEnd
	fromMiddle
)

// narrowest is how narrow a column that gives becomes at most.
const narrowest = 8

// cell is one text of a table.
type cell struct {
	text  string
	paint paint
}

// table is rows of texts in columns, for people: scripts get JSON.
type table struct {
	columns []column
	rows    [][]cell
}

// add adds a row; a text in it is a cell without paint.
func (t *table) add(cells ...any) {
	row := make([]cell, len(cells))
	for i, c := range cells {
		switch c := c.(type) {
		case cell:
			row[i] = c
		case string:
			row[i].text = c
		}
		row[i].text = oneLine(row[i].text)
	}
	t.rows = append(t.rows, row)
}

// print writes the table.
func (t *table) print(w io.Writer, l look) error {
	widths := t.widths(l.width)
	head := make([]cell, len(t.columns))
	for i, c := range t.columns {
		head[i] = cell{c.title, dim}
	}
	var b strings.Builder
	for _, row := range append([][]cell{head}, t.rows...) {
		t.line(&b, row, widths, l)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// gap is what stands between two columns.
const gap = "  "

func (t *table) line(b *strings.Builder, row []cell, widths []int, l look) {
	var line strings.Builder
	for i, c := range row {
		text := c.text
		if columns(text) > widths[i] {
			text = shorten(text, widths[i], t.columns[i].give)
		}
		pad := strings.Repeat(" ", max(0, widths[i]-columns(text)))
		if t.columns[i].right {
			text = pad + l.in(c.paint, text)
		} else {
			text = l.in(c.paint, text) + pad
		}
		if i > 0 {
			line.WriteString(gap)
		}
		line.WriteString(text)
	}
	b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
}

// widths are the widths of the columns in a width, 0 for no limit.
func (t *table) widths(limit int) []int {
	out := make([]int, len(t.columns))
	for i, c := range t.columns {
		out[i] = columns(c.title)
		for _, row := range t.rows {
			out[i] = max(out[i], columns(row[i].text))
		}
	}
	over := len(gap)*(len(out)-1) - limit
	for _, w := range out {
		over += w
	}
	for limit > 0 && over > 0 {
		widest := -1
		for i, c := range t.columns {
			if c.give != never && out[i] > narrowest && (widest < 0 || out[i] > out[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break // lines will wrap
		}
		out[widest]--
		over--
	}
	return out
}

// fit shortens a text in its middle: the ends tell sessions apart.
func fit(text string, width int) string { return shorten(text, width, fromMiddle) }

// shorten cuts a text to a width.
func shorten(text string, width int, g give) string {
	if columns(text) <= width {
		return text
	}
	runes := []rune(text)
	head := width - 1
	if g == fromMiddle {
		head = (width - 1) / 2
	}
	start := roomFor(slices.Values(runes), head)
	end := roomFor(func(yield func(rune) bool) {
		for _, r := range slices.Backward(runes) {
			if !yield(r) {
				return
			}
		}
	}, width-1-head)
	return string(runes[:start]) + "…" + string(runes[len(runes)-end:])
}

// roomFor is how many of the runes have room in a width.
func roomFor(runes func(func(rune) bool), width int) (n int) {
	for r := range runes {
		if width -= runeColumns(r); width < 0 {
			break
		}
		n++
	}
	return n
}

// columns is how many columns of a terminal a text takes.
func columns(text string) (n int) {
	for _, r := range text {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r >= 0x1100 && wide(r):
		return 2
	}
	return 1
}

// wide reports whether a character takes two columns: East Asian ones, and the
// pictures of emoji.
func wide(r rune) bool {
	kind := width.LookupRune(r).Kind()
	return kind == width.EastAsianWide || kind == width.EastAsianFullwidth
}

// oneLine is a text of somebody's for one line of a terminal: white space
// collapsed, and what would do something to the terminal spelled out.
func oneLine(text string) string {
	return spelledOut(jstext.CollapseSpace(strings.ToValidUTF8(text, "\uFFFD")))
}

// manyLines is the same for a text that may have lines.
func manyLines(text string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(text, "\uFFFD") {
		switch {
		case r == '\n' || r == '\t' || r == zeroWidthJoiner || !hidden(r):
			b.WriteRune(r)
		case r != '\r':
			b.WriteString(spelledOut(string(r)))
		}
	}
	return b.String()
}

// zeroWidthJoiner makes one picture of several emoji.
const zeroWidthJoiner = '\u200D'
