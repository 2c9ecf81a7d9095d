package http

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"holdfast/bench/sale"
)

// result is what is read of the answer to one order.
type result struct {
	status   int
	id, code []byte
}

// answer says what a result is to a caller.
func (r *result) answer() sale.Answer {
	switch {
	case r.status == http.StatusCreated:
		return sale.Answer{Verdict: sale.Accepted, ID: string(r.id)}
	case r.status == http.StatusServiceUnavailable && len(r.code) > 0:
		return sale.Answer{Verdict: sale.Failed, Reason: reason(r.code)}
	case r.status >= 400 && r.status < 500 && len(r.code) > 0:
		return sale.Answer{Verdict: sale.Refused, Reason: reason(r.code)}
	}
	return sale.Answer{Verdict: sale.Unknown, Reason: reason(r.code)}
}

// reasons are the codes of orders, so that a refusal allocates none.
var reasons = func() map[string]string {
	all := make(map[string]string)
	for _, code := range []string{"sold_out", "sold_out_pending", "limit_exceeded", "insufficient_stock", "overloaded", "no_leader", "draining"} {
		all[code] = code
	}
	return all
}()

func reason(code []byte) string {
	if known, ok := reasons[string(code)]; ok {
		return known
	}
	return string(code)
}

// read takes what counts out of the order or problem that is all of a body.
func (r *result) read(body []byte) error {
	rest, err := r.take(body)
	if err == nil && (len(bytes.TrimSpace(rest)) > 0 || r.status == http.StatusCreated && len(r.id) == 0) {
		err = errAnswer
	}
	return err
}

// take takes what counts out of the order or problem that b begins with, and returns what follows it.
func (r *result) take(b []byte) (rest []byte, err error) {
	return object(b, func(name, at []byte) ([]byte, error) {
		v, rest, err := value(at)
		switch string(name) {
		case "id":
			r.id = text(v)
		case "code":
			r.code = text(v)
		}
		return rest, err
	})
}

// readBatch reads the results of a batch, each byte once.
func readBatch(body []byte, answers []sale.Answer) error {
	n := 0
	_, err := object(body, func(name, at []byte) (rest []byte, err error) {
		if string(name) != "results" {
			_, rest, err = value(at)
			return rest, err
		}
		return list(at, '[', ']', func(item []byte) ([]byte, error) {
			if n == len(answers) {
				return nil, fmt.Errorf("%w: too many results", errAnswer)
			}
			r, rest, err := readItem(item)
			answers[n] = r.answer()
			n++
			return rest, err
		})
	})
	if err == nil && n != len(answers) {
		err = fmt.Errorf("%w: %d results for %d orders", errAnswer, n, len(answers))
	}
	return err
}

// readItem reads one result and returns what follows it.
func readItem(item []byte) (r result, rest []byte, err error) {
	rest, err = object(item, func(name, at []byte) ([]byte, error) {
		if n := string(name); n == "order" || n == "problem" {
			return r.take(at)
		}
		v, rest, err := value(at)
		if string(name) == "status" && err == nil {
			r.status, err = strconv.Atoi(string(v))
		}
		return rest, err
	})
	if err == nil && r.status == http.StatusCreated && len(r.id) == 0 {
		err = errAnswer
	}
	return r, rest, err
}

// object calls do with each member of the object that b begins with: its name, and where its value begins. Both return what follows.
func object(b []byte, do func(name, at []byte) (rest []byte, err error)) (rest []byte, err error) {
	return list(b, '{', '}', func(item []byte) ([]byte, error) {
		name, rest, err := value(item)
		if err != nil || len(name) < 2 || name[0] != '"' {
			return nil, errAnswer
		}
		if rest = trim(rest); len(rest) == 0 || rest[0] != ':' {
			return nil, errAnswer
		}
		return do(name[1:len(name)-1], trim(rest[1:]))
	})
}

// trim cuts blanks off the front.
func trim(b []byte) []byte {
	for i, c := range b {
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return b[i:]
		}
	}
	return nil
}

// list calls do at each item between two brackets; do returns what follows the item.
func list(b []byte, open, end byte, do func(item []byte) (rest []byte, err error)) (rest []byte, err error) {
	b = trim(b)
	if len(b) == 0 || b[0] != open {
		return nil, errAnswer
	}
	if b = trim(b[1:]); len(b) > 0 && b[0] == end {
		return b[1:], nil
	}
	for {
		if b, err = do(b); err != nil {
			return nil, err
		}
		if b = trim(b); len(b) == 0 {
			return nil, errAnswer
		}
		switch b[0] {
		case end:
			return b[1:], nil
		case ',':
			b = b[1:]
		default:
			return nil, errAnswer
		}
	}
}

// value cuts the value off that b begins with. It finds where it ends, and judges nothing else.
func value(b []byte) (v, rest []byte, err error) {
	b = trim(b)
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
			if i >= len(b) {
				return nil, nil, errAnswer
			}
			if depth == 0 {
				return b[:i+1], b[i+1:], nil
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return ended(b, i)
			}
			if depth--; depth == 0 {
				return b[:i+1], b[i+1:], nil
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return ended(b, i)
			}
		}
	}
	return ended(b, len(b))
}

// ended is the end of a number or a word.
func ended(b []byte, at int) (v, rest []byte, err error) {
	if at == 0 || b[0] == '{' || b[0] == '[' {
		return nil, nil, errAnswer
	}
	return b[:at], b[at:], nil
}

// text returns what a JSON string says; nil for what is none.
func text(v []byte) []byte {
	if len(v) < 2 || v[0] != '"' {
		return nil
	}
	if bytes.IndexByte(v, '\\') < 0 {
		return v[1 : len(v)-1]
	}
	var s string
	if json.Unmarshal(v, &s) != nil {
		return nil
	}
	return []byte(s)
}
