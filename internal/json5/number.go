package json5

import (
	"math/big"
	"strings"
)

// infinite is JSON that every reader takes for infinity.
const infinite = "1e999"

// maxHexDigits is more than the largest finite number has.
const maxHexDigits = 256

// number reads a number, Infinity or NaN, with or without a sign.
func (p *parser) number() error {
	negative := false
	if p.take('-') {
		negative = true
	} else {
		p.take('+')
	}
	switch r, _ := p.peek(); {
	case r == 'N':
		return p.word("NaN", "null")
	case r == 'I':
		p.sign(negative)
		return p.word("Infinity", infinite)
	case r == '.' || r >= '0' && r <= '9':
		p.sign(negative)
		return p.digits()
	}
	return p.unexpected()
}

func (p *parser) sign(negative bool) {
	if negative {
		p.out = append(p.out, '-')
	}
}

func (p *parser) digits() error {
	start := p.at
	if p.take('0') {
		if p.take('x') || p.take('X') {
			return p.hexNumber()
		}
		// A leading zero ends the integer: 01 is no number.
	} else {
		p.decimals()
	}
	whole := p.text[start:p.at]
	var fraction, exponent string
	if p.take('.') {
		at := p.at
		p.decimals()
		fraction = p.text[at:p.at]
		if whole == "" && fraction == "" {
			return p.unexpected()
		}
	}
	if at := p.at; p.take('e') || p.take('E') {
		if !p.take('-') {
			p.take('+')
		}
		if !p.decimals() {
			return p.unexpected()
		}
		exponent = p.text[at:p.at]
	}
	if whole == "" {
		whole = "0"
	}
	p.out = append(p.out, whole...)
	if fraction != "" {
		p.out = append(append(p.out, '.'), fraction...)
	}
	p.out = append(p.out, exponent...)
	return nil
}

// decimals reads decimal digits and reports whether there were any.
func (p *parser) decimals() bool {
	start := p.at
	for p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9' {
		p.at++
	}
	return p.at > start
}

// hexNumber reads the digits behind 0x and writes them in decimal.
func (p *parser) hexNumber() error {
	start := p.at
	for {
		if _, ok := p.hexDigit(); !ok {
			break
		}
	}
	if p.at == start {
		return p.unexpected()
	}
	digits := strings.TrimLeft(p.text[start:p.at], "0")
	if len(digits) > maxHexDigits {
		p.out = append(p.out, infinite...)
		return nil
	}
	var n big.Int
	n.SetString("0"+digits, 16)
	p.out = n.Append(p.out, 10)
	return nil
}
