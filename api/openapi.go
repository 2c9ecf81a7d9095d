package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"holdfast/api/openapi"
)

// contract is the document of a listener, as it is served: made once, when the server starts.
type contract struct {
	json []byte
	etag string
}

// served is one call as the document has it: the route that answers it, what is said of it, and whether its listener is the admin's.
type served struct {
	route *route
	call  *call
	admin bool
}

// describe makes the document of each listener from the routes that serve it. The public one holds the public calls: who writes a shop needs no more,
// and may see no more. The admin one holds all, for whoever runs both. Every route needs its call, or the server does not start.
func (s *Server) describe() error {
	public, err := servedBy(s.public, nil)
	if err != nil {
		return err
	}
	all, err := servedBy(s.admin, public)
	if err != nil {
		return err
	}
	p := newParts(s.cfg.MaxBatchItems)
	if s.public.contract, err = s.contractOf(public, p, false); err != nil {
		return err
	}
	s.admin.contract, err = s.contractOf(all, p, true)
	return err
}

// servedBy returns the calls of a router behind those given. One that both listeners have is the given one, under the rules of the router's.
func servedBy(rt *router, given []served) ([]served, error) {
	all := slices.Clone(given)
	for _, routes := range rt.bySegments {
		for _, r := range routes {
			same := func(other served) bool { return other.route.name() == r.name() }
			if i := slices.IndexFunc(all, same); i >= 0 {
				all[i].admin = rt.admin
				continue
			}
			c := calls[r.name()]
			switch {
			case c == nil:
				return nil, errors.Join(ErrConfig, fmt.Errorf("the contract says nothing of %s", r.name()))
			case !c.page:
				all = append(all, served{r, c, rt.admin})
			}
		}
	}
	return all, nil
}

// name is the route's method and path, as in metrics and in the table of calls.
func (r *route) name() string { return r.method + " " + r.path() }

func (r *route) path() string { return "/" + strings.Join(r.pattern, "/") }

// contractOf builds a document.
func (s *Server) contractOf(all []served, p *parts, admin bool) (contract, error) {
	d := s.document(all, p, admin)
	text, err := d.Encode()
	if err != nil {
		return contract{}, fmt.Errorf("api: contract: %w", err)
	}
	return contract{text, fmt.Sprintf(`"%016x"`, xxhash.Sum64(text))}, nil
}

func (s *Server) document(all []served, p *parts, admin bool) *openapi.Document {
	d := &openapi.Document{
		OpenAPI: openapi.Version,
		Info: openapi.About{Title: "Holdfast", Summary: "Sells limited stock exactly.", Description: aboutAll, Version: s.cfg.Build.Version,
			License: openapi.License{Name: "Apache License 2.0", Identifier: "Apache-2.0"}},
		Servers: []openapi.Server{{URL: "/", Description: "The listener that this document came from."}},
		Paths:   map[string]*openapi.PathItem{},
	}
	if d.Info.Version == "" {
		d.Info.Version = "unknown"
	}
	if s.cfg.Keys == nil {
		d.Security = []openapi.Requirement{{}, {schemeKey: {}}}
	} else {
		d.Security = []openapi.Requirement{{schemeKey: {}}}
	}
	for _, tag := range tags {
		if slices.ContainsFunc(all, func(v served) bool { return v.call.tag == tag.Name }) {
			d.Tags = append(d.Tags, tag)
		}
	}
	for _, v := range all {
		path := v.route.path()
		item := d.Paths[path]
		if item == nil {
			item = &openapi.PathItem{Parameters: pathParameters(v.route)}
			if admin && !v.admin {
				item.Servers = []openapi.Server{publicServer}
			}
			d.Paths[path] = item
		}
		*item.At(v.route.method) = operation(v)
	}
	d.Components = p.usedBy(d.Paths)
	return d
}

// operation describes one call.
func operation(v served) *openapi.Operation {
	c := v.call
	op := &openapi.Operation{ID: c.id, Tags: []string{c.tag}, Summary: c.summary, Description: c.description(), Parameters: c.parameters(),
		Responses: map[string]*openapi.Response{"default": {Ref: "#/components/responses/" + unroutedName}}}
	if v.route.open {
		op.Security = &[]openapi.Requirement{}
	}
	if c.body != nil {
		op.RequestBody = &openapi.RequestBody{Required: !c.bodyless,
			Content: map[string]*openapi.MediaType{contentJSON[0]: {Schema: openapi.RefTo(c.body.name), Example: example(c.example)}}}
		if c.bodyless {
			op.RequestBody.Description = "No body at all stands for {}."
		}
	}
	for _, a := range c.answers {
		op.Responses[strconv.Itoa(a.status)] = a.response(c)
	}
	addProblems(v, op)
	return op
}

// contractRoute is the document's own, on both listeners.
func contractRoute(admin bool) []route {
	return []route{at(http.MethodGet, "/openapi.json", func(x *exchange) *problem {
		if admin {
			return x.contract(&x.s.admin.contract)
		}
		return x.contract(&x.s.public.contract)
	})}
}

// contract answers GET /openapi.json.
func (x *exchange) contract(c *contract) *problem {
	h := x.w.Header()
	h["Etag"] = []string{c.etag}
	h["Cache-Control"] = askAgain
	if matches(x.r.Header["If-None-Match"], c.etag) {
		x.status = http.StatusNotModified
		x.w.WriteHeader(x.status)
		return nil
	}
	// The document is not copied for each caller; nor may it become somebody's buffer.
	x.out = c.json
	x.json(http.StatusOK)
	x.out = nil
	return nil
}

// askAgain lets a document be kept, and asked for again with its tag each time: a new build may say something else.
var askAgain = []string{"no-cache"}
