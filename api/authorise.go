package api

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"

	"holdfast/api/access"
	"holdfast/api/audit"
	"holdfast/stock"
)

// authorise refuses a request whose caller may not make it: without a key that is in force (401), with one whose role does not open this listener, or
// by a page of another site, or under another's name (403). It comes before all other refusals, so that a stranger learns nothing of what there is.
// Probes are for all.
func (rt *router) authorise(x *exchange, route *route) *problem {
	if route != nil && route.open {
		return nil
	}
	p := x.admit(rt)
	if p == nil {
		return nil
	}
	// Nothing more is read of somebody who may not call.
	p.closes = x.r.ContentLength != 0
	if rt.admin && x.s.cfg.Audit != nil {
		row := rowOf(p.code)
		record := x.record(audit.Refused)
		record.Status, record.Code = row.status, row.name
		x.s.cfg.Audit.Refuse(record)
	}
	return p
}

func (x *exchange) admit(rt *router) *problem {
	if keys := x.s.cfg.Keys; keys != nil {
		var known bool
		if x.who, known = keys.Identify(x.r.Header["Authorization"]); !known {
			return &problem{code: unauthenticated}
		}
		if rt.admin && x.who.Role != access.RoleAdmin {
			return forbid("The key's role does not open this listener.")
		}
	}
	if crossSite(x.r, x.s.cfg.Keys != nil) {
		return forbid("A page of another site may not make this call.")
	}
	if x.s.cfg.Keys == nil && rt.loopback.Load() && !addressed(x.r.Host) {
		return forbid("Without API keys a listener on loopback answers to an IP address or localhost as Host.")
	}
	return nil
}

func forbid(reason string) *problem {
	return &problem{code: forbidden, detail: &stock.Detail{Reason: reason}}
}

// strangers is net/http's rule: a browser says with Sec-Fetch-Site or Origin from where a request comes, and everybody else sends neither. Calls
// that take an empty body need no leave by CORS, so without this rule any page could freeze a SKU on the machine of its reader.
var strangers = http.NewCrossOriginProtection()

// crossSite reports whether a browser sends the request for a page that is not ours. Without keys the page must also have an address for a host, or
// localhost: a name could be made to point here by whoever owns it, and its pages would then look like ours.
func crossSite(r *http.Request, keys bool) bool {
	if strangers.Check(r) != nil {
		return true
	}
	origins := r.Header["Origin"]
	if keys || len(origins) == 0 || r.Method == http.MethodGet || r.Method == http.MethodHead {
		return false
	}
	origin, err := url.Parse(origins[0])
	return err != nil || len(origins) > 1 || origin.Hostname() == "" || !addressed(origin.Host)
}

// addressed reports whether a host, with a port or without, is an IP address or localhost: no name that somebody could point here. Programs may leave
// their host out, browsers cannot.
//
// A page under such a name is of one origin with what answers there, so its browser sends no Origin with a GET and shows the page what it read. That
// works against listeners that only their own machine reaches; behind a proxy, which --insecure may mean, requests have names, and the proxy says
// whom it lets in. So it is the address that a listener was bound to that counts.
func addressed(host string) bool {
	name := (&url.URL{Host: host}).Hostname()
	if host == "" || name == "localhost" {
		return true
	}
	_, err := netip.ParseAddr(name)
	return err == nil
}

// change gives a command of an operator to the core, once the audit log holds that it was asked for. A change that could not be accounted for is not
// made: nobody is waiting in line for it, as buyers are.
func (x *exchange) change(sku string, body []byte, r stock.Request) (stock.Outcome, *problem) {
	if p := x.intend(sku, body); p != nil {
		return stock.Outcome{}, p
	}
	return x.ask(r), nil
}

// intend writes into the audit log that a change is asked for, of a SKU or of the cluster (""), and refuses it when that cannot be written.
func (x *exchange) intend(sku string, body []byte) *problem {
	log := x.s.cfg.Audit
	if log == nil {
		return nil
	}
	x.subject = sku
	if string(body) != "{}" {
		x.changed = json.RawMessage(body)
	}
	if err := log.Write(x.record(audit.Asked)); err != nil {
		return &problem{code: stock.Overloaded, detail: &stock.Detail{Bound: boundAudit}}
	}
	return nil
}

// account writes the answer to an operator's command into the audit log, before it leaves. What was done is answered as it is, also when that
// fails; the log then says so, and takes no further change until it can write.
func (x *exchange) account(status int) {
	record := x.record(audit.Answered)
	record.Status, record.Code = status, x.code
	// The failure is logged and counted there.
	_ = x.s.cfg.Audit.Write(record)
}

// record returns a line about this request. Its path is the caller's, so it is cut; the query is not in it.
func (x *exchange) record(event audit.Event) audit.Record {
	return audit.Record{
		Time: x.s.cfg.Now(), Event: event, RequestID: x.id, KeyName: x.who.Name, Remote: x.r.RemoteAddr,
		Call: clip(x.r.Method, maxFieldBytes) + " " + clip(x.r.URL.EscapedPath(), 8*maxFieldBytes), Route: x.counted.name,
		SKU: x.subject, Change: x.changed,
	}
}
