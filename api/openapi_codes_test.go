package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/api/topology"
	"holdfast/stock"
)

// attempt is a request that is about to be made: right as it stands, and then made wrong.
type attempt struct {
	s      *shop
	v      served
	path   string
	body   string
	header http.Header
	// change is the last thing that is done to the request.
	change func(*http.Request)
	// write stands between the answer and its recorder.
	write func(http.ResponseWriter) http.ResponseWriter
}

// rightBodies are bodies that calls accept.
var rightBodies = map[string]string{
	"PlaceOrder": `{"sku":"shoe","user":"bob"}`, "PlaceBatch": `{"orders":[{"key":"b","sku":"shoe","user":"bob"}]}`, "ConfirmOrder": `{"payment_id":"p"}`,
	"CancelOrder": `{"reason":"r"}`, "ReturnOrder": `{"qty":1}`, "Nothing": `{}`, "CreateSku": `{"stock":7}`, "UpdateSku": `{"max_qty":2}`,
	"AdjustSku": `{"delta":1,"reason":"r"}`, "AddNode": `{"id":"n4","peer":"a:1"}`, "TransferShard": `{"to":"n2"}`, "RebuildReplica": `{"node":"n2"}`,
	"UpdateSettings": `{"max_nodes":9}`,
}

// newAttempt builds a right request for a call, on a shop with a SKU and an order.
func newAttempt(t *testing.T, v served) *attempt {
	t.Helper()
	a := &attempt{s: newShop(t), v: v, header: http.Header{}}
	a.s.sku("shoe", `{"stock":9,"max_qty":5,"limit_per_user":5,"hold_ttl_ms":1000}`)
	a.order("shoe", "first")
	if v.call.id == "abortChange" {
		a.s.want(a.s.admin("POST /v1/cluster/balance", ""), 202, "")
	}
	if v.call.body != nil {
		a.body = rightBodies[v.call.body.name]
		a.header.Set("Content-Type", "application/json")
	}
	if v.call.keyed {
		a.header.Set("Idempotency-Key", "new")
	}
	return a
}

// order points the attempt at a new order of a SKU.
func (a *attempt) order(sku, key string) string {
	id := a.s.place(key, `{"sku":"`+sku+`","user":"ann"}`)
	a.path = strings.NewReplacer("{id}", id, "{sku}", sku, "{key}", key, "{profile}", "cmdline", "{node}", "n3", "{shard}", "1", "{change}", "c1").
		Replace(a.v.route.path())
	return id
}

func (a *attempt) router() *router {
	if a.v.admin {
		return a.s.server.admin
	}
	return a.s.server.public
}

// make makes the request.
func (a *attempt) make(t *testing.T) answer {
	t.Helper()
	r := httptest.NewRequest(a.v.route.method, a.path, strings.NewReader(a.body))
	r.Header = a.header
	if a.change != nil {
		a.change(r)
	}
	seen := httptest.NewRecorder()
	var w http.ResponseWriter = seen
	if a.write != nil {
		w = a.write(w)
	}
	a.router().ServeHTTP(w, r)
	return answer{seen.Code, seen.Result().Header, seen.Body.String()}
}

// profiles asks for another profile, when the attempt is for one.
func (a *attempt) profiles(name string) bool {
	if a.v.call.id != "getProfile" {
		return false
	}
	a.path = "/debug/pprof/" + name
	return true
}

// inject makes the core answer with a code, and the cluster too.
func (a *attempt) inject(code stock.Code) {
	a.s.core.Before = answering(stock.Outcome{Code: code})
	a.s.cluster.Refuse = topology.Refusal{Code: topology.Code(rowOf(code).name)}
}

// faulty fails at the second look at its header, where a route begins to answer; a fault of ours could be there.
type faulty struct {
	http.ResponseWriter
	looks int
}

func (f *faulty) Header() http.Header {
	if f.looks++; f.looks == 2 {
		panic("a bug")
	}
	return f.ResponseWriter.Header()
}

type slow struct{}

func (slow) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

// provokers make an attempt earn a code, whatever the call.
var provokers = map[stock.Code]func(t *testing.T, a *attempt){
	stock.InvalidValue: func(_ *testing.T, a *attempt) { a.header.Set("Request-Timeout-Ms", "0") },
	stock.Internal: func(_ *testing.T, a *attempt) {
		a.write = func(w http.ResponseWriter) http.ResponseWriter { return &faulty{ResponseWriter: w} }
	},
	unauthenticated: func(t *testing.T, a *attempt) { withKeys(t, entryOf("shop", "admin", "one"))(&a.s.server.cfg) },
	forbidden: func(t *testing.T, a *attempt) {
		if a.v.admin {
			withKeys(t, entryOf("shop", "order", "one"))(&a.s.server.cfg)
			a.header.Set("Authorization", "Bearer one")
			return
		}
		if a.v.route.method == http.MethodGet {
			a.s.server.public.loopback.Store(true)
			a.change = func(r *http.Request) { r.Host = "shop.example" }
		}
		a.header.Set("Origin", "http://shop.example")
	},
	badPath: func(_ *testing.T, a *attempt) {
		a.path = a.v.route.path()
		a.path = a.path[:strings.Index(a.path, "{")] + ".." + a.path[strings.Index(a.path, "}")+1:]
	},
	malformedJSON:  func(_ *testing.T, a *attempt) { a.body = "{" },
	unknownField:   func(_ *testing.T, a *attempt) { a.body = `{"nonesuch":1}` },
	duplicateField: func(_ *testing.T, a *attempt) { a.body = a.body[:len(a.body)-1] + "," + a.body[1:] },
	missingField:   func(_ *testing.T, a *attempt) { a.body = "{}" },
	bodyTimeout: func(_ *testing.T, a *attempt) {
		a.change = func(r *http.Request) { r.Body = io.NopCloser(slow{}) }
	},
	lengthRequired: func(_ *testing.T, a *attempt) {
		a.change = func(r *http.Request) { r.ContentLength = -1 }
	},
	bodyTooLarge: func(_ *testing.T, a *attempt) {
		a.change = func(r *http.Request) { r.ContentLength = DefaultMaxBatchBytes + 1 }
	},
	unsupportedMediaType: func(_ *testing.T, a *attempt) { a.header.Set("Content-Type", "text/plain") },
	keyMissing:           func(_ *testing.T, a *attempt) { a.header.Del("Idempotency-Key") },
	codeOfKey: func(_ *testing.T, a *attempt) {
		a.header.Set("Idempotency-Key", "a b")
		a.path = strings.Replace(a.path, "/outcomes/first", "/outcomes/a%20b", 1)
	},
	stock.Draining: func(_ *testing.T, a *attempt) {
		a.profiles("goroutine?seconds=60")
		a.s.server.Drain()
		a.inject(stock.Draining)
	},
	stock.Overloaded: func(t *testing.T, a *attempt) {
		a.inject(stock.Overloaded)
		if a.profiles("profile") {
			if err := pprof.StartCPUProfile(io.Discard); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(pprof.StopCPUProfile)
		}
		if !a.v.call.asks {
			a.s.server.bodyMemory.Store(DefaultMaxBodyMemoryBytes)
		}
	},
	stock.NoLeader: func(_ *testing.T, a *attempt) {
		a.inject(stock.NoLeader)
		a.s.health.checks = []Check{{Name: "shard 1"}}
		if !a.v.call.asks {
			a.s.server.cfg.Core = listless{leaderless{a.s.core}, stock.ErrNotExecuted}
		}
	},
	stock.DeadlineExceeded: func(_ *testing.T, a *attempt) {
		a.profiles("goroutine?seconds=60")
		a.inject(stock.DeadlineExceeded)
		if !a.v.call.asks {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			a.change = func(r *http.Request) { *r = *r.WithContext(ctx) }
		}
	},
	stock.OutcomeUnknown: func(_ *testing.T, a *attempt) { a.inject(stock.OutcomeUnknown) },

	stock.SKUNotFound: func(_ *testing.T, a *attempt) {
		a.path = strings.Replace(a.path, "/shoe", "/cup", 1)
		a.body = strings.Replace(a.body, "shoe", "cup", 1)
	},
	stock.OrderNotFound:  func(_ *testing.T, a *attempt) { a.path = strings.Replace(a.v.route.path(), "{id}", "no-id", 1) },
	stock.OutcomeNotSeen: func(_ *testing.T, a *attempt) { a.path = strings.Replace(a.path, "first", "second", 1) },
	stock.Frozen:         func(t *testing.T, a *attempt) { freezeFor(t, a) },
	stock.IdempotencyKeyReused: func(t *testing.T, a *attempt) {
		if a.v.call.id == "returnOrder" {
			a.confirm("p")
		}
		if first := a.make(t); first.status >= 300 {
			t.Fatalf("%d %s", first.status, first.body)
		}
		a.body = strings.NewReplacer("bob", "eve", `"qty":1`, `"qty":2`, `"delta":1`, `"delta":2`).Replace(a.body)
	},
	stock.Fenced: func(_ *testing.T, a *attempt) {
		a.s.public("POST /v1/skus/shoe/outcomes/new/fence", "")
	},
	stock.NotStarted: func(_ *testing.T, a *attempt) {
		a.s.admin("PATCH /v1/skus/shoe", `{"opens_at":"2030-01-01T00:00:00Z"}`)
	},
	stock.Ended: func(_ *testing.T, a *attempt) {
		a.s.admin("PATCH /v1/skus/shoe", `{"closes_at":"2020-01-01T00:00:00Z"}`)
	},
	stock.QtyAboveMax: func(_ *testing.T, a *attempt) {
		a.body = `{"sku":"shoe","user":"bob","qty":6}`
	},
	stock.LimitExceeded: func(_ *testing.T, a *attempt) { a.body = `{"sku":"shoe","user":"ann","qty":5}` },
	stock.SoldOut:       func(_ *testing.T, a *attempt) { a.scarce(0, 0) },
	stock.SoldOutPending: func(_ *testing.T, a *attempt) {
		a.scarce(0, 1)
	},
	stock.InsufficientStock: func(_ *testing.T, a *attempt) { a.scarce(1, 0) },
	stock.OrderExpired:      func(_ *testing.T, a *attempt) { a.s.clock.advance(time.Minute) },
	stock.InvalidState: func(_ *testing.T, a *attempt) {
		switch a.v.call.id {
		case "cancelOrder":
			a.confirm("p")
		case "confirmOrder":
			a.s.public("POST "+strings.Replace(a.path, "/confirm", "/cancel", 1), "")
		}
		a.s.cluster.Refuse = topology.Refusal{Code: topology.LastVoter, Text: "that is the last voter of shard 1", WayOut: "add a node"}
	},
	stock.DuplicatePayment: func(_ *testing.T, a *attempt) { a.confirm("another") },
	stock.SKUExists:        func(*testing.T, *attempt) {},
	batchTooLarge:          func(_ *testing.T, a *attempt) { a.s.server.cfg.MaxBatchItems = 0 },
	nodeNotFound: func(_ *testing.T, a *attempt) {
		a.path, a.body = strings.Replace(a.path, "/n3", "/n9", 1), strings.Replace(a.body, "n2", "n9", 1)
	},
	shardNotFound:  func(_ *testing.T, a *attempt) { a.path = strings.Replace(a.path, "/1/", "/9/", 1) },
	changeNotFound: func(_ *testing.T, a *attempt) { a.path = strings.Replace(a.path, "/c1", "/c9", 1) },
	routeNotFound:  func(_ *testing.T, a *attempt) { a.path = "/debug/pprof/nonesuch" },
}

// listless is a core that cannot list.
type listless struct {
	Core
	err error
}

func (l listless) SKUs(ctx context.Context, _ string, _ int) ([]stock.SKU, bool, error) {
	return nil, false, errors.Join(l.err, ctx.Err())
}

// confirm pays the attempt's order.
func (a *attempt) confirm(payment string) {
	order := a.path[:strings.LastIndex(a.path, "/")]
	a.s.want(a.s.public("POST "+order+"/confirm", `{"payment_id":"`+payment+`"}`), 200, "")
}

// scarce leaves so many units available and held, and points the attempt at an order of more than those.
func (a *attempt) scarce(available, held int) {
	switch a.v.call.id {
	case "adjustSku":
		a.body = `{"delta":-9,"reason":"r"}`
		return
	case "placeOrder":
		a.s.sku("rare", `{"stock":`+string(rune('0'+available+held))+`,"max_qty":2}`)
		a.body = `{"sku":"rare","user":"bob","qty":2}`
	default:
		// An open order takes nothing, so the stock can go before its payment.
		a.s.sku("rare", `{"stock":2,"max_qty":2,"mode":"on_payment"}`)
		id := a.s.place("rare", `{"sku":"rare","user":"bob","qty":2}`)
		a.path = strings.Replace(a.v.route.path(), "{id}", id, 1)
		a.s.want(a.s.admin("POST /v1/skus/rare/adjustments", `{"delta":-`+string(rune('0'+2-available))+`,"reason":"r"}`, "Idempotency-Key: a"), 200, "")
	}
	if held > 0 {
		a.s.place("held", `{"sku":"rare","user":"eve"}`)
	}
}

// freezeFor freezes what the call needs. Where only a broken SKU refuses, which no call can make, the core's word is only passed on.
func freezeFor(t *testing.T, a *attempt) {
	t.Helper()
	switch a.v.call.id {
	case "placeOrder":
	case "confirmOrder":
		a.s.sku("later", `{"stock":2,"mode":"on_payment"}`)
		a.order("later", "open")
		a.s.want(a.s.admin("POST /v1/skus/later/freeze", ""), 200, "")
	default:
		a.inject(stock.Frozen)
		return
	}
	a.s.want(a.s.admin("POST /v1/skus/shoe/freeze", ""), 200, "")
}

// allServed are the calls of both listeners, each under the rules of its own.
func allServed(t *testing.T) []served {
	t.Helper()
	s := newShop(t)
	public, err := servedBy(s.server.public, nil)
	if err != nil {
		t.Fatal(err)
	}
	admin, err := servedBy(s.server.admin, nil)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(public, admin)
}

// Every code that the document has for a call is earned by a request, and comes as the document says. That no other code leaves is held by every test
// of this package (hold).
func TestEveryDocumentedCode(t *testing.T) {
	earned, ran, all := map[string]bool{}, 0, 0
	for _, v := range allServed(t) {
		for _, code := range refusedWith(v) {
			all++
			name := rowOf(code).name
			listener := publicName
			if v.admin {
				listener = adminName
			}
			t.Run(listener+" "+v.route.name()+"/"+name, func(t *testing.T) {
				ran++
				provoke := provokers[code]
				if provoke == nil {
					t.Fatal("nobody knows how to earn it")
				}
				a := newAttempt(t, v)
				j := judgeOf(t, a.router())
				provoke(t, a)
				got := a.make(t)
				if m := got.json(t); m["code"] != name || got.status != rowOf(code).status {
					t.Fatalf("%d %s", got.status, got.body)
				}
				for _, found := range j.wrong(v.route.name(), false, got) {
					t.Error(found)
				}
				earned[name] = true
			})
		}
	}
	if ran < all {
		return // somebody asked for a part
	}
	for code := range problems {
		row := &problems[code]
		if row.status != 0 && !earned[row.name] && stock.Code(code) != methodNotAllowed {
			t.Errorf("no call is refused with %s", row.name)
		}
	}
	if all < 300 {
		t.Errorf("only %d codes are documented", all)
	}
}

// An attempt that nobody made wrong succeeds: what is earned above is earned by what was made wrong.
func TestAttemptsAreRight(t *testing.T) {
	for _, v := range allServed(t) {
		a := newAttempt(t, v)
		switch v.call.id {
		case "returnOrder":
			a.confirm("p")
		case "createSku":
			a.path = "/v1/skus/cup"
		}
		if got := a.make(t); got.status >= 300 {
			t.Errorf("%s: %d %s", v.route.name(), got.status, got.body)
		}
	}
}
