package api

import (
	"strings"

	"holdfast/api/openapi"
	"holdfast/stock"
)

// schemeKey names the way to say who calls.
const schemeKey = "apiKey"

// aboutAll is what the document says before all calls.
const aboutAll = `Orders are taken on the public listener, SKUs and operations on the admin one; the document of the public listener has its own
calls only.

The reference is docs/api.md in Holdfast's repository. A problem's "type" is urn:holdfast:problem: and its "code"; the section of docs/api.md whose
heading is the code explains it. Branch on "code": "title" and "detail" are for people. Answers may gain members; requests may not have others than
those named here. Member names match exactly and stand at most once, integers are written without fraction or exponent, and x-max-bytes bounds a text
in bytes of UTF-8. A body needs Content-Length. HEAD works wherever GET does.

2xx was accepted and is on disk. 4xx was refused. 503 was not executed. 504, 500, or no answer at all: it may have happened; ask again with the same
key. What the HTTP library refuses before it has a request (a malformed head, 431, 501, 505) comes as plain text.`

func int64s(n int64) *int64 { return &n }

// The parameters of queries.
var (
	limitParameter = &openapi.Parameter{Name: "limit", In: "query", Description: "SKUs on a page.", Schema: &openapi.Schema{Type: "integer",
		Minimum: int64s(1), Maximum: int64s(maxPage), Default: defaultPage}}
	cursorParameter = &openapi.Parameter{Name: "cursor", In: "query", Description: "The next_cursor of the page before.",
		Schema: &openapi.Schema{Type: "string"}}
	verboseParameter = &openapi.Parameter{Name: "verbose", In: "query",
		Description:     "Shows every check, the advisory ones too. Its value does not matter.",
		AllowEmptyValue: true, Schema: &openapi.Schema{Type: "string"}}
	debugParameter   = &openapi.Parameter{Name: "debug", In: "query", Description: "Above 0: as text.", Schema: &openapi.Schema{Type: "integer"}}
	secondsParameter = &openapi.Parameter{Name: "seconds", In: "query", Description: "How long to look.", Schema: &openapi.Schema{Type: "integer"}}
)

// parameters are the components that calls refer to, by the name of the parameter.
var parameters = map[string]*openapi.Parameter{
	"id": {Name: "id", In: "path", Required: true, Description: "The order's id. What cannot be one names no order: order_not_found.",
		Schema: &openapi.Schema{Type: "string", Pattern: "^[0-9A-Za-z]{1,26}$"}, Example: exampleID},
	"sku": {Name: "sku", In: "path", Required: true, Description: "The SKU's name, percent-encoded, / as %2F.", Schema: valueOf(&skuMember),
		Example: "sneaker"},
	"key": {Name: "key", In: "path", Required: true, Description: "The order's idempotency key, percent-encoded, / as %2F.", Schema: keySchema,
		Example: "cart-7"},
	"node": {Name: "node", In: "path", Required: true, Description: "The node's id. What cannot be one names no node: node_not_found.",
		Schema: &openapi.Schema{Type: "string"}, Example: "n3"},
	"shard": {Name: "shard", In: "path", Required: true, Description: "The shard's number. What is none names no shard: shard_not_found.",
		Schema: &openapi.Schema{Type: "string", Pattern: "^(0|[1-9][0-9]{0,9})$"}, Example: "1"},
	"change": {Name: "change", In: "path", Required: true, Description: "The change's id. What cannot be one names no change: change_not_found.",
		Schema: &openapi.Schema{Type: "string"}, Example: "c7"},
	"profile": {Name: "profile", In: "path", Required: true, Description: "The name of a profile.",
		Schema: &openapi.Schema{Type: "string"}, Example: "heap"},
	"Idempotency-Key": {Name: "Idempotency-Key", In: "header", Required: true, Schema: keySchema, Example: "cart-7",
		Description: "Names what is asked for; the same key never takes effect twice. Taken literally, once."},
	"Idempotency-Retry": {Name: "Idempotency-Retry", In: "header", Schema: &openapi.Schema{Type: "boolean", Default: false},
		Description: "true: an earlier copy of this request may still be under way. A refusal then holds for the copy too."},
	"Request-Timeout-Ms": {Name: "Request-Timeout-Ms", In: "header", Description: "How long you wait for the outcome.",
		Schema: &openapi.Schema{Type: "integer", Minimum: int64s(1), Maximum: int64s(MaxTimeout.Milliseconds()), Default: DefaultTimeout.Milliseconds()}},
	"X-Request-Id": {Name: "X-Request-Id", In: "header", Description: "Yours, 1 to 128 visible ASCII characters; anything else is replaced.",
		Schema: &openapi.Schema{Type: "string"}},
	"traceparent": {Name: "traceparent", In: "header", Description: "The trace that the request belongs to (W3C Trace Context).",
		Schema: &openapi.Schema{Type: "string"}},
	"If-None-Match": {Name: "If-None-Match", In: "header", Description: "Tags of answers that you have: 304 when one is still true.",
		Schema: &openapi.Schema{Type: "string"}},
}

// keySchema is an idempotency key's.
var keySchema = valueOf(&member{kind: aKey, low: 1, high: stock.MaxKeyBytes})

// headerTexts are the headers of answers.
var headerTexts = map[string]*openapi.Header{
	"X-Request-Id": {Description: "Yours, or a new one; request_id in a problem.", Required: true, Schema: &openapi.Schema{Type: "string"}},
	"Retry-After":  {Description: "Seconds; with every 503 and with not_started.", Schema: &openapi.Schema{Type: "integer", Minimum: int64s(1)}},
	"Location": {Description: "The order's path.", Required: true, Schema: &openapi.Schema{Type: "string",
		Pattern: "^/v1/orders/[0-9A-Za-z]{1,26}$"}},
	"Idempotent-Replayed": {Description: "true: the key was known, and this is the first answer again. Else it is not there.",
		Schema: &openapi.Schema{Type: "boolean", Const: true}},
	"Server-Timing": {Description: "admit: until the core was asked; commit: until its answer; in milliseconds. Not there when it was not asked.",
		Schema: &openapi.Schema{Type: "string", Pattern: `^admit;dur=[0-9.]+, commit;dur=[0-9.]+$`}},
	"ETag":          {Description: "For If-None-Match.", Required: true, Schema: &openapi.Schema{Type: "string", Pattern: `^(W/)?"[0-9a-f]{16}"$`}},
	"Cache-Control": {Description: "How long the answer may be used again.", Required: true, Schema: &openapi.Schema{Type: "string"}},
	"Holdfast-Refusal": {Description: "unconfirmed: a refusal, or one of a batch, that rests on no leadership check, under --refusals fast. Else it is not there.",
		Schema: &openapi.Schema{Type: "string", Const: "unconfirmed"}},
	"Allow":            {Description: "With 405: the methods of the path.", Schema: &openapi.Schema{Type: "string"}},
	"WWW-Authenticate": {Description: "How to say who calls.", Schema: &openapi.Schema{Type: "string"}},
}

// headers refers to headers of answers.
func headers(names ...string) map[string]*openapi.Header {
	refs := map[string]*openapi.Header{}
	for _, name := range names {
		refs[name] = &openapi.Header{Ref: "#/components/headers/" + name}
	}
	return refs
}

func parameter(name string) *openapi.Parameter {
	return &openapi.Parameter{Ref: "#/components/parameters/" + name}
}

// pathParameters are those of every call under a path.
func pathParameters(r *route) (refs []*openapi.Parameter) {
	for _, segment := range r.pattern {
		if strings.HasPrefix(segment, "{") {
			refs = append(refs, parameter(strings.Trim(segment, "{}")))
		}
	}
	return append(refs, parameter("Request-Timeout-Ms"), parameter("X-Request-Id"), parameter("traceparent"))
}

// parameters are those of the call alone.
func (c *call) parameters() (refs []*openapi.Parameter) {
	if c.keyed {
		refs = append(refs, parameter("Idempotency-Key"))
	}
	if c.copied {
		refs = append(refs, parameter("Idempotency-Retry"))
	}
	if c.tagged {
		refs = append(refs, parameter("If-None-Match"))
	}
	return append(refs, c.query...)
}

// publicServer is where the public calls go in the admin listener's document, which cannot know under which address callers reach it.
var publicServer = openapi.Server{URL: "{scheme}://{host}:{port}", Description: "The public listener.", Variables: map[string]openapi.Variable{
	"scheme": {Enum: []string{"http", "https"}, Default: "http", Description: "https when the node has a certificate."},
	"host":   {Default: "127.0.0.1"},
	"port":   {Default: "8080", Description: "That of --http."},
}}
