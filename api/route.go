package api

import (
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
)

// route is one call: a method, a path, and what answers it.
type route struct {
	method string
	// pattern is the path by segments; one in braces takes any name.
	pattern []string
	answer  func(*exchange) *problem
	// command: it may change the state, and is refused while the node drains.
	command bool
	// open: everybody may call it, with a key or without.
	open    bool
	metrics *routeMetrics
}

// router finds the route of a request. http.ServeMux is not used: it answers an unclean path with a redirect, and 404 and 405 as plain text.
type router struct {
	server *Server
	// admin: it takes an admin's key, and what is asked and refused is audited.
	admin bool
	// loopback: its listener is bound to an address that only this machine reaches.
	loopback atomic.Bool
	// bySegments holds the routes by the number of their segments.
	bySegments [8][]*route
	none       *routeMetrics
	// contract is what GET /openapi.json answers here.
	contract contract
}

func newRouter(s *Server, admin bool, routes ...[]route) *router {
	rt := &router{server: s, admin: admin, none: s.metrics.route("none")}
	for _, group := range routes {
		for i := range group {
			r := &group[i]
			r.metrics = s.metrics.route(r.name())
			n := len(r.pattern)
			rt.bySegments[n] = append(rt.bySegments[n], r)
		}
	}
	return rt
}

// at builds a route from its path.
func at(method, path string, answer func(*exchange) *problem) route {
	return route{method: method, pattern: strings.Split(path[1:], "/"), answer: answer}
}

// command builds the route of a command.
func command(method, path string, answer func(*exchange) *problem) route {
	r := at(method, path, answer)
	r.command = true
	return r
}

// probe builds the route of a call that everybody may make.
func probe(path string, answer func(*exchange) *problem) route {
	r := at(http.MethodGet, path, answer)
	r.open = true
	return r
}

// find returns the route of a request and the names in its path, or the problem: bad_path, route_not_found, or method_not_allowed.
func (rt *router) find(r *http.Request, args *[2]string) (*route, *problem) {
	var buf [8]string
	segments, clean := splitPath(r.URL, buf[:0])
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var allow []string
	if len(segments) < len(rt.bySegments) {
		for _, candidate := range rt.bySegments[len(segments)] {
			if !candidate.match(segments, args) {
				continue
			}
			if candidate.method == method {
				return candidate, nil
			}
			allow = append(allow, candidate.method)
			if candidate.method == http.MethodGet {
				allow = append(allow, http.MethodHead)
			}
		}
	}
	switch {
	case len(allow) > 0:
		return nil, &problem{code: methodNotAllowed, allow: strings.Join(allow, ", ")}
	case !clean:
		return nil, &problem{code: badPath}
	}
	return nil, &problem{code: routeNotFound}
}

func (r *route) match(segments []string, args *[2]string) bool {
	n := 0
	for i, want := range r.pattern {
		if want == "" || want[0] != '{' {
			if segments[i] != want {
				return false
			}
			continue
		}
		if !plain(segments[i]) {
			return false
		}
		args[n] = segments[i]
		n++
	}
	return true
}

// plain reports whether a segment is a name: not empty, not . or ..
func plain(segment string) bool { return segment != "" && segment != "." && segment != ".." }

// splitPath returns the decoded segments of a path, and whether each is a name. They are split before they are decoded, so that %2F stays
// within its segment. The root has no segment.
func splitPath(u *url.URL, segments []string) (_ []string, clean bool) {
	path, encoded := u.Path, u.RawPath != ""
	if encoded {
		path = u.RawPath
	}
	if path == "/" {
		return segments, true
	}
	if path == "" || path[0] != '/' {
		return segments, false
	}
	clean = true
	for rest, more := path[1:], true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if encoded {
			var err error
			if segment, err = url.PathUnescape(segment); err != nil {
				return segments, false
			}
		}
		clean = clean && plain(segment)
		segments = append(segments, segment)
	}
	return segments, clean
}
