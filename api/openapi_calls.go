package api

import (
	"encoding/json"
	"net/http"

	"holdfast/api/openapi"
	"holdfast/stock"
)

// call is what the document says of a route beyond what the route says of itself. What it is refused with follows from it: see refusedWith.
type call struct {
	id, tag, summary string
	// heading is that of the call's section in docs/api.md.
	heading string
	// body is what it takes; bodyless: no body stands for {}.
	body     *shape
	bodyless bool
	// keyed: it needs an Idempotency-Key; copied: it takes Idempotency-Retry.
	keyed, copied bool
	query         []*openapi.Parameter
	// asks: the core decides, and may answer what it may answer to anything; codes are those that follow from nothing else here.
	asks  bool
	codes []stock.Code
	// timed: answers carry Server-Timing; tagged: they carry an ETag, and If-None-Match is looked at.
	timed, tagged bool
	// places: orders are placed, and refusals of them may rest on no leadership check.
	places  bool
	answers []success
	// plain are the statuses under which Go's own handler may answer in plain text.
	plain []int
	// example is a request's body.
	example string
	// page: it is not in the document.
	page bool
}

// success is an answer that is no problem.
type success struct {
	status int
	about  string
	// schema is the name of the body's; media its type, when it is not JSON; none of both: no body.
	schema, media string
	headers       []string
	example       string
}

// The tags of calls.
const (
	tagOrders = "orders"
	tagSKUs   = "skus"
	tagNode   = "node"
)

var tags = []openapi.Tag{
	{Name: tagOrders, Description: "Buying, on the public listener."},
	{Name: tagSKUs, Description: "What is sold, on the admin listener."},
	{Name: tagCluster, Description: "Nodes, shards and replicas, on the admin listener."},
	{Name: tagNode, Description: "The node itself."},
}

// Groups of refusals.
var (
	// placeCodes are what an order can be refused with, by the call or in a batch.
	placeCodes = []stock.Code{stock.InvalidValue, stock.SKUNotFound, stock.IdempotencyKeyReused, stock.Fenced, stock.Frozen, stock.NotStarted,
		stock.Ended,
		stock.QtyAboveMax, stock.LimitExceeded, stock.SoldOut, stock.SoldOutPending, stock.InsufficientStock}
	// coreCodes are what the core may answer to anything.
	coreCodes = []stock.Code{stock.Overloaded, stock.NoLeader, stock.Draining, stock.DeadlineExceeded, stock.OutcomeUnknown, stock.Internal}
)

// calls is what is said of each route, by its name.
var calls = joined(nodeCalls, clusterCalls)

// joined returns the rows of several tables; a name that stands in two of them is a bug.
func joined(tables ...map[string]*call) map[string]*call {
	all := map[string]*call{}
	for _, table := range tables {
		for name, c := range table {
			if all[name] != nil {
				panic("api: " + name + " is described twice")
			}
			all[name] = c
		}
	}
	return all
}

// nodeCalls are those that every node answers; clusterCalls are in openapi_cluster.go.
var nodeCalls = map[string]*call{
	"POST /v1/orders": {id: "placeOrder", tag: tagOrders, summary: "Place an order", heading: "POST /v1/orders",
		body: orderShape, keyed: true, copied: true, asks: true, timed: true, places: true, codes: placeCodes, example: examplePlace,
		answers: []success{{status: 201, about: "Accepted, now or before under this key.", schema: "Order",
			headers: []string{"Location", "Idempotent-Replayed"}, example: exampleOrder}}},
	"POST /v1/orders:batch": {id: "placeBatch", tag: tagOrders, summary: "Place many orders", heading: "POST /v1/orders:batch",
		body: batchShape, copied: true, timed: true, codes: []stock.Code{batchTooLarge}, example: exampleBatch,
		answers: []success{{status: 200, about: "A result for each order, in their order.", schema: "BatchResults", headers: []string{"Holdfast-Refusal"},
			example: exampleResults}}},
	"GET /v1/orders/{id}": {id: "getOrder", tag: tagOrders, summary: "Read an order", heading: "GET /v1/orders/{id}", asks: true, timed: true,
		codes: []stock.Code{stock.OrderNotFound}, answers: []success{{status: 200, about: "As it stands.", schema: "Order", example: exampleOrder}}},
	"POST /v1/orders/{id}/confirm": {id: "confirmOrder", tag: tagOrders, summary: "Record an order's payment", heading: "POST /v1/orders/{id}/confirm",
		body: confirmShape, asks: true, timed: true, example: exampleConfirm,
		codes: []stock.Code{stock.OrderNotFound, stock.Frozen, stock.OrderExpired, stock.InvalidState, stock.DuplicatePayment, stock.SoldOut,
			stock.InsufficientStock},
		answers: []success{{status: 200, about: "Confirmed, now or before by this payment.", schema: "Order", example: exampleConfirmed}}},
	"POST /v1/orders/{id}/cancel": {id: "cancelOrder", tag: tagOrders, summary: "Give an order up before its payment",
		heading: "POST /v1/orders/{id}/cancel",
		body:    cancelShape, bodyless: true, asks: true, timed: true, codes: []stock.Code{stock.OrderNotFound, stock.InvalidState, stock.Frozen},
		answers: []success{{status: 200, about: "Cancelled, now or before.", schema: "Order", example: exampleCancelled}}, example: exampleCancel},
	"POST /v1/orders/{id}/return": {id: "returnOrder", tag: tagOrders, summary: "Take units of a confirmed order back",
		heading: "POST /v1/orders/{id}/return",
		body:    returnShape, keyed: true, copied: true, asks: true, timed: true, example: exampleReturn,
		codes: []stock.Code{stock.OrderNotFound, stock.InvalidState, stock.IdempotencyKeyReused, stock.Frozen},
		answers: []success{{status: 200, about: "Returned, now or before under this key.", schema: "Order",
			headers: []string{"Idempotent-Replayed"}, example: exampleReturned}}},
	"GET /v1/skus/{sku}/outcomes/{key}": {id: "getOutcome", tag: tagOrders, summary: "Ask what became of an order's key", heading: "Outcomes and fences",
		asks: true, codes: []stock.Code{stock.SKUNotFound, stock.OutcomeNotSeen, codeOfKey},
		answers: []success{{status: 200, about: "Decided.", schema: "Outcome", example: exampleOutcome}}},
	"POST /v1/skus/{sku}/outcomes/{key}/fence": {id: "fenceKey", tag: tagOrders, summary: "See to it that no order comes under a key any more",
		heading: "Outcomes and fences", body: nothingShape, bodyless: true, asks: true, codes: []stock.Code{stock.SKUNotFound, codeOfKey, stock.Frozen},
		answers: []success{{status: 200, about: "Fenced, unless the order was there first.", schema: "Outcome", example: exampleFenced}}},
	"GET /v1/skus/{sku}/availability": {id: "getAvailability", tag: tagOrders, summary: "See what can be bought",
		heading: "GET /v1/skus/{sku}/availability",
		tagged:  true, codes: []stock.Code{stock.SKUNotFound, stock.NoLeader},
		answers: []success{{status: 200, about: "As it was published last.", schema: "Availability", example: exampleAvailability}, notModified}},

	"PUT /v1/skus/{sku}": {id: "createSku", tag: tagSKUs, summary: "Create a SKU", heading: "PUT /v1/skus/{sku}", body: createShape, asks: true,
		codes: []stock.Code{stock.SKUExists}, example: exampleCreate,
		answers: []success{{status: 201, about: "Created.", schema: "Sku", example: exampleSKU},
			{status: 200, about: "It was created alike before; as it stands.", schema: "Sku", example: exampleSKU}}},
	"PATCH /v1/skus/{sku}": {id: "updateSku", tag: tagSKUs, summary: "Change what later orders are accepted under", heading: "PATCH /v1/skus/{sku}",
		body: updateShape, asks: true, codes: []stock.Code{stock.SKUNotFound, stock.Frozen}, example: exampleUpdate,
		answers: []success{{status: 200, about: "Changed.", schema: "Sku", example: exampleUpdated}}},
	"GET /v1/skus/{sku}": {id: "getSku", tag: tagSKUs, summary: "Read a SKU", heading: "GET /v1/skus/{sku} and GET /v1/skus?limit=100&cursor=",
		asks:  true,
		codes: []stock.Code{stock.SKUNotFound}, answers: []success{{status: 200, about: "As it stands.", schema: "Sku", example: exampleSKU}}},
	"GET /v1/skus": {id: "listSkus", tag: tagSKUs, summary: "List SKUs", heading: "GET /v1/skus/{sku} and GET /v1/skus?limit=100&cursor=",
		query: []*openapi.Parameter{limitParameter, cursorParameter}, codes: []stock.Code{stock.NoLeader, stock.DeadlineExceeded},
		answers: []success{{status: 200, about: "A page, in byte order of the names.", schema: "SkuPage", example: examplePage}}},
	"POST /v1/skus/{sku}/adjustments": {id: "adjustSku", tag: tagSKUs, summary: "Add units, or take available ones away",
		heading: "POST /v1/skus/{sku}/adjustments", body: adjustShape, keyed: true, copied: true, asks: true, example: exampleAdjust,
		codes: []stock.Code{stock.SKUNotFound, stock.IdempotencyKeyReused, stock.InsufficientStock, stock.Frozen},
		answers: []success{{status: 200, about: "Adjusted, now or before under this key.", schema: "Sku",
			headers: []string{"Idempotent-Replayed"}, example: exampleAdjusted}}},
	"POST /v1/skus/{sku}/freeze":   freezing("freezeSku", "Stop the sale of a SKU", exampleFrozen),
	"POST /v1/skus/{sku}/unfreeze": freezing("unfreezeSku", "Resume the sale of a SKU", exampleUnfrozen),

	"GET /livez": {id: "getLive", tag: tagNode, summary: "Ask whether the process answers", heading: "Operations",
		answers: []success{{status: 200, about: "It does.", schema: "Live", example: `{"live":true}`}}},
	"GET /readyz": {id: "getReady", tag: tagNode, summary: "Ask whether the node can serve", heading: "Operations",
		query:   []*openapi.Parameter{verboseParameter},
		answers: []success{{status: 200, about: "It can.", schema: "Ready", example: `{"ready":true}`}}},
	"GET /version": {id: "getVersion", tag: tagNode, summary: "Ask which build is running", heading: "Operations",
		answers: []success{{status: 200, about: "The build.", schema: "Version"}}},
	"GET /openapi.json": {id: "getContract", tag: tagNode, summary: "Read this document", heading: "The contract as a document", tagged: true,
		answers: []success{{status: 200, about: "An OpenAPI 3.1 document.", schema: "Contract"}, notModified}},
	"GET /metrics": {id: "getMetrics", tag: tagNode, summary: "Read the metrics", heading: "Operations", plain: []int{http.StatusInternalServerError},
		answers: []success{{status: 200, about: "In a format of Prometheus.", media: "text/plain"}}},
	// A page for people, and a path that generators of clients refuse because of its last slash.
	"GET /debug/pprof/": {page: true},
	"GET /debug/pprof/{profile}": {id: "getProfile", tag: tagNode, summary: "Read one of Go's profiles", heading: "Operations",
		query: []*openapi.Parameter{debugParameter, secondsParameter}, codes: []stock.Code{routeNotFound, stock.Overloaded,
			stock.Draining, stock.DeadlineExceeded},
		answers: []success{{status: 200, about: "In the profile's own format.", media: "*/*"}}},
}

func freezing(id, summary, answer string) *call {
	return &call{id: id, tag: tagSKUs, summary: summary, heading: "POST /v1/skus/{sku}/freeze and /unfreeze", body: nothingShape, bodyless: true,
		asks:    true,
		codes:   []stock.Code{stock.SKUNotFound, stock.Frozen},
		answers: []success{{status: 200, about: "Done.", schema: "Sku", example: answer}}}
}

var notModified = success{status: http.StatusNotModified, about: "What If-None-Match names is still true."}

func (c *call) description() string { return "See docs/api.md, section \"" + c.heading + "\"." }

// response describes the answer.
func (a *success) response(c *call) *openapi.Response {
	r := &openapi.Response{Description: a.about, Headers: headers("X-Request-Id")}
	names := a.headers
	if c.timed {
		names = append(names[:len(names):len(names)], "Server-Timing")
	}
	if c.tagged {
		names = append(names[:len(names):len(names)], "ETag", "Cache-Control")
	}
	for _, name := range names {
		r.Headers[name] = headers(name)[name]
	}
	switch {
	case a.schema != "":
		r.Content = map[string]*openapi.MediaType{contentJSON[0]: {Schema: openapi.RefTo(a.schema), Example: example(a.example)}}
	case a.media != "":
		r.Content = map[string]*openapi.MediaType{a.media: {}}
	}
	return r
}

func example(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}
