package json5

// value reads white space and one value.
func (p *parser) value() error {
	if err := p.space(); err != nil {
		return err
	}
	r, _ := p.peek()
	switch {
	case r == '{':
		return p.nested(p.object)
	case r == '[':
		return p.nested(p.array)
	case r == '"' || r == '\'':
		lit, err := p.quoted()
		p.out = append(p.out, lit...)
		return err
	case r == 'n':
		return p.word("null", "null")
	case r == 't':
		return p.word("true", "true")
	case r == 'f':
		return p.word("false", "false")
	}
	return p.number()
}

// nested guards the stack against deep nesting around one array or object.
func (p *parser) nested(read func() error) error {
	if p.depth++; p.depth > maxDepth {
		return p.errorf(p.at, "more than %d levels of nesting", maxDepth)
	}
	p.at++ // the bracket
	err := read()
	p.depth--
	return err
}

// word reads exactly the characters of w and writes them as json.
func (p *parser) word(w, json string) error {
	for i := range len(w) {
		if !p.take(w[i]) {
			return p.unexpected()
		}
	}
	p.out = append(p.out, json...)
	return nil
}

func (p *parser) array() error {
	p.out = append(p.out, '[')
	for n := 0; ; n++ {
		if err := p.space(); err != nil {
			return err
		}
		if p.take(']') {
			break
		}
		if n > 0 {
			p.out = append(p.out, ',')
		}
		if err := p.value(); err != nil {
			return err
		}
		if done, err := p.separator(']'); err != nil {
			return err
		} else if done {
			break
		}
	}
	p.out = append(p.out, ']')
	return nil
}

// separator reads what stands behind an element: a comma, or the closing
// bracket, which ends the list.
func (p *parser) separator(closing byte) (done bool, err error) {
	if err := p.space(); err != nil {
		return false, err
	}
	switch {
	case p.take(closing):
		return true, nil
	case p.take(','):
		return false, nil
	}
	return false, p.unexpected()
}

// A member is one name (a JSON string literal) and where its value lies in
// the output.
type member struct {
	name       string
	start, end int
}

func (p *parser) object() error {
	base := len(p.out)
	var members []member
	places := map[string]int{}
	repeated := false
	p.out = append(p.out, '{')
	for {
		if err := p.space(); err != nil {
			return err
		}
		if p.take('}') {
			break
		}
		m, err := p.member(len(members) > 0)
		if err != nil {
			return err
		}
		if i, ok := places[m.name]; ok {
			members[i], repeated = m, true
		} else {
			places[m.name] = len(members)
			members = append(members, m)
		}
		if done, err := p.separator('}'); err != nil {
			return err
		} else if done {
			break
		}
	}
	if repeated {
		p.rewrite(base, members)
	}
	p.out = append(p.out, '}')
	return nil
}

func (p *parser) member(more bool) (member, error) {
	name, err := p.name()
	if err != nil {
		return member{}, err
	}
	if err := p.space(); err != nil {
		return member{}, err
	}
	if !p.take(':') {
		return member{}, p.unexpected()
	}
	if more {
		p.out = append(p.out, ',')
	}
	p.out = append(append(p.out, name...), ':')
	m := member{name: string(name), start: len(p.out)}
	err = p.value()
	m.end = len(p.out)
	return m, err
}

// rewrite replaces the object that begins at base by one in which no name is
// repeated. It is rare, so it may copy.
func (p *parser) rewrite(base int, members []member) {
	body := make([]byte, 0, len(p.out)-base)
	for i, m := range members {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(append(append(body, m.name...), ':'), p.out[m.start:m.end]...)
	}
	p.out = append(append(p.out[:base], '{'), body...)
}
