package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"holdfast/api/topology"
	"holdfast/stock"
)

// operations lists the calls of a document as "METHOD /path", with their operation and where each goes.
func operations(t *testing.T, j *judge) (ops map[string]map[string]any, elsewhere map[string]bool) {
	t.Helper()
	ops, elsewhere = map[string]map[string]any{}, map[string]bool{}
	for path, item := range lookUp(j.doc, "#/paths") {
		item := item.(map[string]any)
		for _, method := range []string{"get", "put", "post", "patch", "delete", "head", "options", "trace"} {
			if op, ok := item[method].(map[string]any); ok {
				call := strings.ToUpper(method) + " " + path
				ops[call], elsewhere[call] = op, item["servers"] != nil
			}
		}
	}
	return ops, elsewhere
}

// Each route that a listener serves is in its document and none besides; those for everybody need no key there, all others need one where there
// are keys.
func TestEveryRouteIsDocumented(t *testing.T) {
	for _, keys := range []bool{false, true} {
		s := newShop(t)
		if keys {
			s = newShop(t, withKeys(t, entryOf("shop", "admin", "one")))
		}
		names := func(rt *router) map[string]*route {
			all := map[string]*route{}
			for _, routes := range rt.bySegments {
				for _, r := range routes {
					if !calls[r.name()].page {
						all[r.name()] = r
					}
				}
			}
			return all
		}
		public, admin := names(s.server.public), names(s.server.admin)
		for _, rt := range []*router{s.server.public, s.server.admin} {
			j := judgeOf(t, rt)
			ops, elsewhere := operations(t, j)
			served := names(rt)
			if got := fmt.Sprint(j.doc["security"]); got != fmt.Sprintf("[%smap[apiKey:[]]]", map[bool]string{false: "map[] "}[keys]) {
				t.Errorf("security %s", got)
			}
			for call, op := range ops {
				r := served[call]
				if rt.admin && r == nil {
					r = public[call]
				}
				if r == nil || elsewhere[call] != (served[call] == nil) {
					t.Errorf("admin %v: %s is documented; elsewhere: %v", rt.admin, call, elsewhere[call])
					continue
				}
				security, own := op["security"].([]any)
				if own != r.open || len(security) != 0 {
					t.Errorf("%s: security %v", call, op["security"])
				}
			}
			for call := range served {
				if ops[call] == nil {
					t.Errorf("admin %v: %s is not documented", rt.admin, call)
				}
			}
			if want := map[bool]int{false: len(public), true: len(public) + len(admin) - 4}[rt.admin]; len(ops) != want || want < 13 {
				t.Errorf("%d calls, want %d", len(ops), want)
			}
		}
		for call, c := range calls {
			if public[call] == nil && admin[call] == nil && !c.page {
				t.Errorf("%s is described and not served", call)
			}
		}
	}
}

// A route of which nothing is said does not start.
func TestUndescribedRoute(t *testing.T) {
	s := newShop(t)
	rt := newRouter(s.server, false, []route{at(http.MethodGet, "/v2/orders", (*exchange).order)})
	if _, err := servedBy(rt, nil); err == nil || !strings.Contains(err.Error(), "GET /v2/orders") {
		t.Errorf("%v", err)
	}
}

func TestContractIsServed(t *testing.T) {
	s := newShop(t, withKeys(t, entryOf("shop", "order", "one"), entryOf("ops", "admin", "two")))
	s.want(s.public("GET /openapi.json", ""), 401, "unauthenticated")
	s.key = "one"
	s.want(s.admin("GET /openapi.json", ""), 403, "forbidden")
	public := s.public("GET /openapi.json", "")
	s.key = "two"
	admin := s.admin("GET /openapi.json", "")
	for _, a := range []answer{public, admin} {
		m := s.want(a, 200, "")
		if m["openapi"] != "3.1.0" || m["info"].(map[string]any)["version"] != "1.2.3" || a.header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%.200s %v", a.body, a.header)
		}
		if strings.Contains(a.body, `"$ref":"http`) || strings.Contains(a.body, "//cdn") {
			t.Error("the document needs another")
		}
	}
	if public.body == admin.body || public.header.Get("Etag") == admin.header.Get("Etag") {
		t.Error("the listeners have one document")
	}
	for _, hidden := range []string{"/v1/skus/{sku}/freeze", "/metrics", "CreateSku", `"skus"`} {
		if strings.Contains(public.body, hidden) || !strings.Contains(admin.body, hidden) {
			t.Errorf("%s: in the public document, or not in the admin's", hidden)
		}
	}
	etag := admin.header.Get("Etag")
	if a := s.admin("GET /openapi.json", "", "If-None-Match: "+etag); a.status != 304 || a.body != "" || a.header.Get("Etag") != etag {
		t.Errorf("%d %v", a.status, a.header)
	}
	if a := s.admin("HEAD /openapi.json", ""); a.status != 200 || a.header.Get("Content-Length") != fmt.Sprint(len(admin.body)) {
		t.Errorf("HEAD: %d %v", a.status, a.header)
	}
	s.server.Drain()
	// It was not copied for an answer, so nobody may have written into it.
	for range 20 {
		s.want(s.public("GET /v1/skus/none/availability", ""), 404, "sku_not_found")
		if again := s.admin("GET /openapi.json", ""); again.body != admin.body {
			t.Fatal("the document changed")
		}
	}
	other := newShop(t, withKeys(t, entryOf("ops", "admin", "two")))
	other.key = "two"
	if a := other.admin("GET /openapi.json", ""); a.body != admin.body {
		t.Error("another server of the build has another document")
	}
}

// cover notes which members of which schemas a value has, and which it lacks.
func (j *judge) cover(place string, value any, seen map[string]int) {
	schema := lookUp(j.doc, place)
	if ref, ok := schema["$ref"].(string); ok {
		j.cover(ref, value, seen)
		return
	}
	choices, _ := schema["oneOf"].([]any)
	for _, choice := range choices {
		if ref := choice.(map[string]any)["$ref"].(string); j.valid(ref, value) == nil {
			j.cover(ref, value, seen)
		}
	}
	if items, ok := value.([]any); ok && schema["items"] != nil {
		for _, item := range items {
			j.cover(place+"/items", item, seen)
		}
	}
	object, ok := value.(map[string]any)
	if !ok {
		return
	}
	properties, _ := schema["properties"].(map[string]any)
	for name := range properties {
		there := "without"
		if member, ok := object[name]; ok {
			there = "with"
			j.cover(place+"/properties/"+escaped(name), member, seen)
		}
		seen[place+" "+there+" "+name]++
	}
}

// Every member that an answer is said to have is in some answer, and every one that is said to be optional is missing from some: the document promises
// neither too much nor too little.
func TestEveryMemberIsSeen(t *testing.T) {
	s := newShop(t)
	j := judgeOf(t, s.server.admin)
	seen := map[string]int{}
	note := func(call string, a answer) {
		method, path, _ := strings.Cut(call, " ")
		media, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
		_, place := j.at("#/paths", path, strings.ToLower(method), "responses", fmt.Sprint(a.status))
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(a.body))
		if err != nil {
			t.Fatalf("%s: %v", call, err)
		}
		j.cover(place+"/content/"+escaped(media)+"/schema", value, seen)
	}
	for _, row := range story() {
		method, template, _ := strings.Cut(row.call, " ")
		sent, _ := j.at("#/paths", template, strings.ToLower(method), "requestBody", "content", "application/json")
		do := s.public
		if rt, _ := s.server.public.find(mustRequest(t, method, row.path), new([2]string)); rt == nil {
			do = s.admin
		}
		a := do(method+" "+row.path, exampleIn(t, sent), row.headers...)
		if strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
			note(row.call, a)
		}
	}
	s.sku("timed", `{"stock":1,"mode":"on_order","opens_at":"2020-01-01T00:00:00Z","closes_at":"2030-01-01T00:00:00Z"}`)
	note("POST /v1/orders", s.public(placing, `{"sku":"timed","user":"ann"}`, "Idempotency-Key: t"))
	note("GET /v1/skus/{sku}/availability", s.public("GET /v1/skus/timed/availability", ""))
	note("POST /v1/orders:batch", s.public(batching, `{"orders":[{"key":"t","sku":"timed","user":"ann"}]}`))
	note("GET /v1/skus/{sku}/outcomes/{key}", s.public("GET /v1/skus/sneaker/outcomes/cart-10", ""))
	note("GET /v1/skus", s.admin("GET /v1/skus?limit=1", ""))
	s.health.checks = []Check{{Name: "a", OK: true}, {Name: "b", Detail: "d", Advisory: true}}
	note("GET /readyz", s.admin("GET /readyz?verbose", ""))
	for i := range 60 {
		s.health.checks = append(s.health.checks, Check{Name: fmt.Sprint("shard ", i)})
		if i%59 == 0 {
			note("GET /readyz", s.admin("GET /readyz?verbose", ""))
		}
	}
	s.troubled()
	note("GET /v1/cluster", s.admin("GET /v1/cluster", ""))
	note("GET /v1/cluster", s.admin("GET /v1/cluster", ""))
	note("GET /v1/cluster/shards", s.admin("GET /v1/cluster/shards", ""))
	j.missed(t, seen)
}

// troubled gives the shop's cluster what only a cluster in trouble has: a change under way with a step that failed, a change that was completed, a
// node that nobody heard of late, a replica that is down, a sink that is being filled.
func (s *shop) troubled() {
	s.cluster.Change(func(o *topology.Overview, shards []topology.Shard) {
		o.Ended = append(o.Ended, topology.Change{ID: "c8", Kind: topology.KindBalance, State: topology.Completed, BeganAt: s.clock.moment(), EndedAt: s.clock.moment()})
		o.Changes = []topology.Change{{ID: "c9", Kind: topology.KindRebuild, Node: "n3", Shard: 2, State: topology.Running, BeganAt: s.clock.moment(),
			StepsTotal: 2, Steps: []topology.Step{{Step: "a", State: topology.StepOpen}, {Step: "b", State: topology.StepFailed, Reason: "no answer"}}}}
		o.Nodes[2].State, o.Nodes[2].ClockOffsetMS = topology.Unreachable, nil
		shards[1].Replicas[2].Down, shards[1].Flush[2].Seeding = "its node does not answer", true
	})
}

// missed says which members of the answers' schemas were not seen, or never missing although they may be.
func (j *judge) missed(t *testing.T, seen map[string]int) {
	t.Helper()
	for name, schema := range lookUp(j.doc, "#/components/schemas") {
		members, _ := schema.(map[string]any)["properties"].(map[string]any)
		if strings.HasSuffix(name, "Problem") || bodyNamed(name) != nil {
			continue
		}
		required, _ := json.Marshal(schema.(map[string]any)["required"])
		for member := range members {
			place := "#/components/schemas/" + name
			if seen[place+" with "+member] == 0 {
				t.Errorf("%s: no answer has %s", name, member)
			}
			if optional := !strings.Contains(string(required), `"`+member+`"`); optional && seen[place+" without "+member] == 0 {
				t.Errorf("%s: %s is never missing", name, member)
			}
		}
	}
}

// bodyNamed returns the body of a request by its name.
func bodyNamed(name string) *shape {
	for _, sh := range shapes {
		if sh.name == name {
			return sh
		}
	}
	return nil
}

// A problem's members are those that members.go writes: all of them for a full detail, and no others.
func TestProblemMembers(t *testing.T) {
	for code := range problems {
		row := &problems[code]
		if row.status == 0 {
			continue
		}
		schema := problemSchema(stock.Code(code))
		var example map[string]any
		if err := json.Unmarshal(schema.Examples[0], &example); err != nil {
			t.Fatal(err)
		}
		for name := range schema.Properties {
			if _, ok := example[name]; !ok {
				t.Errorf("%s: %s is documented and not written", row.name, name)
			}
		}
		for name := range example {
			if schema.Properties[name] == nil {
				t.Errorf("%s: %s is written and not documented", row.name, name)
			}
		}
	}
}
