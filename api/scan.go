package api

import (
	"bytes"
	"fmt"
	"math"
	"unicode/utf16"
	"unicode/utf8"

	"holdfast/stock"
)

// scanner reads one JSON text strictly. encoding/json is too kind for bodies that spend money: it takes duplicate keys, another case, null for
// a number, invalid UTF-8, and its errors repeat the input. It is also ten times slower. What scanner accepts, encoding/json accepts with the
// same values (FuzzOrderBody).
type scanner struct {
	b []byte
	i int
}

// newScanner returns a scanner at the start of a body, which must be UTF-8 without a byte order mark.
func newScanner(b []byte) (scanner, *problem) {
	switch {
	case len(b) == 0:
		return scanner{}, malformed("the body is empty")
	case len(b) >= 3 && b[0] == 0xEF && b[1] == 0xBB && b[2] == 0xBF:
		return scanner{}, malformed("the body starts with a byte order mark")
	case !utf8.Valid(b):
		return scanner{}, malformed("the body is not UTF-8")
	}
	return scanner{b: b}, nil
}

// end checks that nothing follows but space.
func (s *scanner) end() *problem {
	if s.space(); s.i < len(s.b) {
		return s.unexpected("after the body's end")
	}
	return nil
}

// fields is a set of the names of one object, by their position in its list of names.
type fields uint32

func (f fields) has(i int) bool { return f&(1<<i) != 0 }

// object reads an object whose members may only have the given names, each at most once, in any order; value reads the member of a name.
func (s *scanner) object(names []string, value func(i int) *problem) (seen fields, p *problem) {
	if p := s.open('{', "must be an object"); p != nil {
		return 0, p
	}
	if s.space(); s.next('}') {
		return 0, nil
	}
	for {
		i, p := s.name(names)
		if p != nil {
			return seen, p
		}
		if seen.has(i) {
			return seen, fieldProblem(duplicateField, names[i], "")
		}
		seen |= 1 << i
		if p := value(i); p != nil {
			return seen, p
		}
		s.space()
		if s.next('}') {
			return seen, nil
		}
		if !s.next(',') {
			return seen, s.unexpected("after a member")
		}
		s.space()
	}
}

// name reads a member's name and its colon, and returns the name's position.
func (s *scanner) name(names []string) (int, *problem) {
	if s.i >= len(s.b) || s.b[s.i] != '"' {
		return 0, s.unexpected("where a member's name should be")
	}
	text, p := s.quoted()
	if p != nil {
		return 0, p
	}
	for i, name := range names {
		if string(text) == name {
			if s.space(); !s.next(':') {
				return 0, s.unexpected("after a member's name")
			}
			s.space()
			return i, nil
		}
	}
	return 0, fieldProblem(unknownField, string(text), "")
}

// array reads an array; item reads each element.
func (s *scanner) array(field string, item func() *problem) *problem {
	if p := s.open('[', "must be an array"); p != nil {
		return within(field, p)
	}
	if s.space(); s.next(']') {
		return nil
	}
	for {
		if p := item(); p != nil {
			return p
		}
		s.space()
		if s.next(']') {
			return nil
		}
		if !s.next(',') {
			return s.unexpected("after an element")
		}
		s.space()
	}
}

// text reads a string. A lone surrogate becomes bytes that are not valid UTF-8, for the check of the field to refuse.
func (s *scanner) text(field string) (string, *problem) {
	if s.i >= len(s.b) || s.b[s.i] != '"' {
		return "", s.wrongType(field, "must be a string")
	}
	b, p := s.quoted()
	return string(b), p
}

// integer reads a plain integer: no fraction, no exponent. fits is false, and n means nothing, when it is beyond int64.
func (s *scanner) integer(field string) (n int64, fits bool, p *problem) {
	start := s.i
	negative := s.next('-')
	digits := s.i
	fits = true
	for ; s.i < len(s.b) && s.b[s.i]-'0' <= 9; s.i++ {
		d := int64(s.b[s.i] - '0')
		if n < (math.MinInt64+d)/10 {
			fits = false
			continue
		}
		n = n*10 - d // counted downwards: the smallest int64 has no positive counterpart
	}
	switch {
	case s.i == digits && negative:
		return 0, false, s.unexpected("in a number")
	case s.i == digits:
		s.i = start
		return 0, false, s.wrongType(field, "must be an integer")
	case s.b[digits] == '0' && s.i > digits+1:
		s.i = digits + 1
		return 0, false, s.unexpected("after a leading zero")
	case s.i < len(s.b) && (s.b[s.i] == '.' || s.b[s.i]|0x20 == 'e'):
		return 0, false, invalid(field, "must be a plain integer")
	}
	if !negative {
		if n == math.MinInt64 {
			return math.MaxInt64, false, nil
		}
		n = -n
	}
	return n, fits, nil
}

// boolean reads true or false.
func (s *scanner) boolean(field string) (bool, *problem) {
	switch {
	case s.word("true"):
		return true, nil
	case s.word("false"):
		return false, nil
	}
	return false, s.wrongType(field, "must be true or false")
}

// null reads null when it stands here.
func (s *scanner) null() bool { return s.word("null") }

// quoted reads a string that starts here. The result points into the body unless there was something to unescape.
func (s *scanner) quoted() ([]byte, *problem) {
	s.i++
	start := s.i
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return s.b[start : s.i-1], nil
		case c == '\\':
			return s.unescape(start)
		case c < 0x20:
			return nil, s.unexpected("in a string")
		}
		s.i++
	}
	return nil, s.unexpected("in a string")
}

// unescape reads the rest of a string from its first backslash on.
func (s *scanner) unescape(start int) ([]byte, *problem) {
	out := append(make([]byte, 0, s.i-start+16), s.b[start:s.i]...)
	for s.i < len(s.b) {
		c := s.b[s.i]
		switch {
		case c == '"':
			s.i++
			return out, nil
		case c < 0x20:
			return nil, s.unexpected("in a string")
		case c != '\\':
			out = append(out, c)
			s.i++
		default:
			var ok bool
			if out, ok = s.escape(out); !ok {
				return nil, s.unexpected("in an escape")
			}
		}
	}
	return nil, s.unexpected("in a string")
}

// escape reads one escape sequence, or two that make a surrogate pair.
func (s *scanner) escape(out []byte) ([]byte, bool) {
	if s.i++; s.i >= len(s.b) {
		return nil, false
	}
	c := s.b[s.i]
	if c == 'u' {
		return s.unicode(out)
	}
	s.i++
	switch c {
	case '"', '\\', '/':
		return append(out, c), true
	case 'b':
		return append(out, '\b'), true
	case 'f':
		return append(out, '\f'), true
	case 'n':
		return append(out, '\n'), true
	case 'r':
		return append(out, '\r'), true
	case 't':
		return append(out, '\t'), true
	}
	s.i--
	return nil, false
}

func (s *scanner) unicode(out []byte) ([]byte, bool) {
	r, ok := s.hex4(s.i + 1)
	if !ok {
		return nil, false
	}
	s.i += 5
	if !utf16.IsSurrogate(r) {
		return utf8.AppendRune(out, r), true
	}
	if s.i+1 < len(s.b) && s.b[s.i] == '\\' && s.b[s.i+1] == 'u' {
		low, ok := s.hex4(s.i + 2)
		if pair := utf16.DecodeRune(r, low); ok && pair != utf8.RuneError {
			s.i += 6
			return utf8.AppendRune(out, pair), true
		}
	}
	return append(out, 0xE0|byte(r>>12), 0x80|byte(r>>6&0x3F), 0x80|byte(r&0x3F)), true
}

func (s *scanner) hex4(at int) (r rune, ok bool) {
	if at+4 > len(s.b) {
		return 0, false
	}
	for _, c := range s.b[at : at+4] {
		switch lower := c | 0x20; {
		case c-'0' <= 9:
			r = r<<4 | rune(c-'0')
		case lower-'a' <= 5:
			r = r<<4 | rune(lower-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

// next steps over c when it stands here.
func (s *scanner) next(c byte) bool {
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

// open steps into an object or array. A body that is something else altogether is malformed; a member that is, has the wrong type.
func (s *scanner) open(c byte, reason string) *problem {
	if s.space(); s.next(c) {
		return nil
	}
	top := len(bytes.TrimLeft(s.b[:s.i], " \t\r\n")) == 0
	p := s.wrongType("", reason)
	if top && p.code == stock.InvalidValue {
		return malformed("the body " + reason)
	}
	return p
}

func (s *scanner) word(w string) bool {
	if len(s.b)-s.i >= len(w) && string(s.b[s.i:s.i+len(w)]) == w {
		s.i += len(w)
		return true
	}
	return false
}

// wrongType is the problem of a value that stands here and is not of the field's type, or of something that is no value at all.
func (s *scanner) wrongType(field, reason string) *problem {
	if s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"', c == '{', c == '[', c == '-', c-'0' <= 9:
			return invalid(field, reason)
		case s.word("null"):
			return invalid(field, "must not be null")
		case s.word("true"), s.word("false"):
			return invalid(field, reason)
		}
	}
	return s.unexpected("where a value should be")
}

// unexpected names the place of a fault, never the text.
func (s *scanner) unexpected(where string) *problem {
	if s.i >= len(s.b) {
		return malformed("the body ends " + where)
	}
	return malformed(fmt.Sprintf("unexpected byte at offset %d, %s", s.i, where))
}

func malformed(reason string) *problem {
	return &problem{code: malformedJSON, detail: &stock.Detail{Reason: reason}}
}

func invalid(field, reason string) *problem { return fieldProblem(stock.InvalidValue, field, reason) }

func fieldProblem(code stock.Code, field, reason string) *problem {
	return &problem{code: code, detail: &stock.Detail{Field: field, Reason: reason}}
}

// within puts the name of the enclosing member before a problem's field.
func within(outer string, p *problem) *problem {
	if p == nil || p.detail == nil || p.code == malformedJSON {
		return p
	}
	if p.detail.Field == "" {
		p.detail.Field = outer
	} else {
		p.detail.Field = outer + "." + p.detail.Field
	}
	return p
}
