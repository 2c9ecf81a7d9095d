package demo

import (
	"net/http"
	"sync/atomic"
	"time"
)

// The hosts that the crowd knows; which node stands behind them is decided request by request, as a balancer before a cluster would.
const (
	publicPlace = "http://public"
	adminPlace  = "http://admin"
)

// spread sends each request to the next node, past those that did not answer lately.
type spread struct {
	places []*place
	turn   atomic.Uint64
}

// place is where a node answers.
type place struct {
	public, admin string
	// killed: it was, at some time, so that answers were lost.
	killed atomic.Bool
	// starting: it takes connections and does not answer yet. A balancer would ask /readyz.
	starting atomic.Bool
	// restsUntil is when the node is tried again, in milliseconds since 1970.
	restsUntil atomic.Int64
}

// restFor is how long a node is let alone that did not answer.
const restFor = 200 * time.Millisecond

func newSpread(f fleet) *spread {
	s := &spread{}
	for _, p := range f {
		at := p.current().Ready
		s.places = append(s.places, &place{public: at.HTTP, admin: at.Admin})
	}
	return s
}

// next returns the next node in turn that neither starts nor rests, or the next when all do.
func (s *spread) next() *place {
	first := s.turn.Add(1)
	now := time.Now().UnixMilli()
	for i := range uint64(len(s.places)) {
		if p := s.places[(first+i)%uint64(len(s.places))]; p.restsUntil.Load() <= now && !p.starting.Load() {
			return p
		}
	}
	return s.places[first%uint64(len(s.places))]
}

// rest lets the node alone for a while.
func (p *place) rest() { p.restsUntil.Store(time.Now().Add(restFor).UnixMilli()) }

// addressed returns the request as it goes to this node.
func (p *place) addressed(req *http.Request) *http.Request {
	to, url := req.WithContext(req.Context()), *req.URL
	url.Host = p.public
	if "http://"+req.URL.Host == adminPlace {
		url.Host = p.admin
	}
	to.URL, to.Host = &url, url.Host
	return to
}
