package access

import "strings"

// maxTokenBytes bounds what is hashed of a request; a key has 46.
const maxTokenBytes = 256

// bearer returns the token of one header "Bearer TOKEN" (RFC 6750): the scheme in any case, spaces, 1 to 256 characters of token68 and nothing
// behind them. Two headers are none.
func bearer(headers []string) (token string, ok bool) {
	if len(headers) != 1 {
		return "", false
	}
	scheme, rest, found := strings.Cut(headers[0], " ")
	if !found || !strings.EqualFold(scheme, "bearer") {
		return "", false
	}
	token = strings.TrimLeft(rest, " ")
	if token == "" || len(token) > maxTokenBytes {
		return "", false
	}
	return token, token68(token)
}

// token68 reports whether a text is letters, digits and -._~+/ with any number of = behind (RFC 9110, 11.2).
func token68(s string) bool {
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && strings.IndexByte("-._~+/", c) < 0 {
			return false
		}
	}
	return s != ""
}
