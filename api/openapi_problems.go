package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"holdfast/api/openapi"
	"holdfast/stock"
)

// problemMembers are the members that a code has besides those of every problem, as members.go writes them.
var problemMembers = map[stock.Code]struct {
	members  properties
	optional []string
}{
	duplicateField:      {members: fieldOnly},
	unknownField:        {members: fieldOnly},
	missingField:        {members: fieldOnly},
	stock.InvalidValue:  {members: fieldAndReason},
	codeOfKey:           {members: fieldAndReason},
	stock.NotStarted:    {members: properties{"opens_at": instant("")}},
	stock.Ended:         {members: properties{"closes_at": instant("")}},
	bodyTooLarge:        {members: properties{"limit_bytes": count("The longest body that the call takes.")}},
	batchTooLarge:       {members: properties{"limit": count("The most orders that a call takes.")}},
	stock.LimitExceeded: {members: properties{"limit": count("The SKU's limit_per_user."), "used": count("The user's units.")}},
	stock.OrderExpired:  {members: properties{"expired_at": instant("")}},
	stock.InvalidState: {members: properties{"state": oneOf("The order's, or what of the cluster stands in the way.",
		append(states(), clusterStates()...)), "returnable": count("Units that could come back.")}, optional: []string{"returnable"}},
	stock.DuplicatePayment:     {members: properties{"first_payment_id": text("")}},
	stock.SKUExists:            {members: properties{"differs": listOf(text("A member's name."))}},
	stock.IdempotencyKeyReused: {members: properties{"differs": listOf(text("A member's name."))}},
	stock.SoldOutPending: {members: properties{"held": count(""),
		"next_release_at": instant("When the first held units come back if they are not paid for.")}},
	stock.InsufficientStock: {members: properties{"available": count("")}},
	stock.QtyAboveMax:       {members: properties{"max_qty": count("")}},
	stock.Overloaded:        {members: properties{"bound": text("What was reached; a flag's name.")}},
}

var (
	fieldOnly      = properties{"field": text("The member's name, its beginning if it is long.")}
	fieldAndReason = properties{"field": text("What has the value: a member, a header, a parameter."), "reason": text("")}
)

// sample is a detail from which the document's examples of problems are written, by the code that writes the real ones.
var sample = stock.Detail{
	OpensAt: 1794312000000, ClosesAt: 1794312000000, MaxQty: 2, Limit: 2, Used: 1, Available: 1, Held: 3, NextReleaseAt: 1794312120000,
	ExpiredAt: 1794312000000, State: stock.StateConfirmed, Returnable: 1, FirstPaymentID: "pay-1", Differs: []string{"max_qty"}, Field: "qty",
	Reason: "must be 1 to 9223372036854775807", Bound: "max-parked",
}

// problemName is the name of a code's schema.
func problemName(code stock.Code) string {
	var name strings.Builder
	for part := range strings.SplitSeq(rowOf(code).name, "_") {
		name.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return name.String() + "Problem"
}

// problemSchema describes the problem of a code.
func problemSchema(code stock.Code) *openapi.Schema {
	row, extra := rowOf(code), problemMembers[code]
	members := properties{
		"type": always(typeURN + row.name), "title": text(""), "status": always(row.status), "detail": text(""), "code": always(row.name),
		"retryable":  {Const: row.retryable, Description: "Whether the same request, unchanged, with the same key may succeed later."},
		"request_id": text(""),
	}
	for name, schema := range extra.members {
		members[name] = schema
	}
	if code == stock.InvalidState {
		members["retryable"] = flag("Whether the same request may succeed later: never for an order, for some states of a cluster.")
	}
	v := object(row.title+". See docs/api.md, section \""+row.name+"\".", members, extra.optional...)
	v.Examples = []json.RawMessage{appendProblem(nil, &problem{code: code, detail: &sample}, exampleRequest)}
	return v
}

// problemOf describes a problem of one of several codes.
func problemOf(codes []stock.Code) *openapi.Schema {
	if len(codes) == 1 {
		return openapi.RefTo(problemName(codes[0]))
	}
	v := &openapi.Schema{Discriminator: &openapi.Discriminator{PropertyName: "code", Mapping: map[string]string{}}}
	for _, code := range codes {
		ref := openapi.RefTo(problemName(code))
		v.OneOf = append(v.OneOf, ref)
		v.Discriminator.Mapping[rowOf(code).name] = ref.Ref
	}
	return v
}

func statusesOf(codes []stock.Code) (statuses []any) {
	for _, code := range codes {
		if status := rowOf(code).status; !slices.Contains(statuses, any(status)) {
			statuses = append(statuses, status)
		}
	}
	return statuses
}

// itemCodes are what one order of a batch can be refused with.
func itemCodes() []stock.Code { return slices.Concat(placeCodes, []stock.Code{codeOfKey}, coreCodes) }

// refusedWith returns every code that a call can be answered with, in the order of their numbers.
func refusedWith(v served) []stock.Code {
	c, r := v.call, v.route
	codes := slices.Clone(c.codes)
	add := func(when bool, more ...stock.Code) {
		if when {
			codes = append(codes, more...)
		}
	}
	// Request-Timeout-Ms may have no good value on any call, and any may run into a fault of ours.
	add(true, stock.InvalidValue, stock.Internal)
	add(!r.open, unauthenticated, forbidden)
	add(r.command, stock.Draining)
	add(slices.ContainsFunc(r.pattern, func(s string) bool { return strings.HasPrefix(s, "{") }), badPath)
	add(c.body != nil, malformedJSON, unknownField, bodyTimeout, lengthRequired, bodyTooLarge, unsupportedMediaType, stock.Overloaded)
	if c.body != nil {
		add(len(c.body.members) > 0, duplicateField)
		add(c.body.required != 0, missingField)
	}
	add(c.keyed, keyMissing, codeOfKey)
	add(c.asks, coreCodes...)
	add(c.id == readyID, stock.NoLeader, stock.Draining)
	slices.Sort(codes)
	return slices.Compact(codes)
}

// readyID is the call whose problem also shows checks.
const readyID = "getReady"

// addProblems adds an answer for each status of the codes that a call can be refused with.
func addProblems(v served, op *openapi.Operation) {
	byStatus := map[int][]stock.Code{}
	for _, code := range refusedWith(v) {
		status := rowOf(code).status
		byStatus[status] = append(byStatus[status], code)
	}
	for status, codes := range byStatus {
		if slices.Contains(early, status) && len(codes) == 1 {
			op.Responses[strconv.Itoa(status)] = &openapi.Response{Ref: "#/components/responses/" + problemName(codes[0])}
			continue
		}
		r := problemResponse(codes)
		if v.call.timed && !slices.Contains(early, status) {
			r.Headers["Server-Timing"] = headers("Server-Timing")["Server-Timing"]
		}
		if v.call.places && status < http.StatusInternalServerError && !slices.Contains(early, status) {
			r.Headers["Holdfast-Refusal"] = headers("Holdfast-Refusal")["Holdfast-Refusal"]
		}
		if v.call.id == readyID && status == http.StatusServiceUnavailable {
			r.Content[contentProblem[0]].Schema = openapi.RefTo("NotReady")
		}
		if slices.Contains(v.call.plain, status) {
			r.Content["text/plain"] = &openapi.MediaType{}
			r.Description += " In plain text: what Go's handler says."
		}
		op.Responses[strconv.Itoa(status)] = r
	}
}

// problemResponse describes an answer that is a problem of one of several codes.
func problemResponse(codes []stock.Code) *openapi.Response {
	var titles []string
	r := &openapi.Response{Headers: headers("X-Request-Id")}
	for _, code := range codes {
		row := rowOf(code)
		titles = append(titles, row.title)
		switch {
		case row.status == http.StatusServiceUnavailable, code == stock.NotStarted:
			r.Headers["Retry-After"] = headers("Retry-After")["Retry-After"]
		case code == unauthenticated:
			r.Headers["WWW-Authenticate"] = headers("WWW-Authenticate")["WWW-Authenticate"]
		case code == methodNotAllowed:
			r.Headers["Allow"] = headers("Allow")["Allow"]
		}
	}
	r.Description = strings.Join(titles, "; ") + "."
	r.Content = map[string]*openapi.MediaType{contentProblem[0]: {Schema: problemOf(codes)}}
	return r
}

// early are the statuses of what is refused before the core is asked, whatever the call.
var early = []int{http.StatusUnauthorized, http.StatusRequestTimeout, http.StatusLengthRequired, http.StatusRequestEntityTooLarge,
	http.StatusUnsupportedMediaType}

// unrouted are the codes of what is answered before, or without, any call.
var unrouted = []stock.Code{badPath, unauthenticated, forbidden, routeNotFound, methodNotAllowed, stock.Overloaded, stock.Internal}

const unroutedName = "Unrouted"

// notReady describes a node's problem when it is not ready.
func notReady() *openapi.Schema {
	both := []stock.Code{stock.NoLeader, stock.Draining}
	members := properties{
		"type": {Type: "string", Enum: []any{typeURN + rowOf(both[0]).name, typeURN + rowOf(both[1]).name}}, "title": text(""),
		"status": always(http.StatusServiceUnavailable), "detail": text(""), "code": {Type: "string", Enum: []any{rowOf(both[0]).name,
			rowOf(both[1]).name}},
		"retryable": always(true), "request_id": text(""), "ready": always(false), "checks": listOf(openapi.RefTo("Check")),
		"checks_omitted": count("Checks that did not fit."),
	}
	return object("What is not as it must be, the failing checks first.", members, "checks_omitted")
}

// components returns all components; a document has those that its calls use (usedBy).
func components() openapi.Components {
	c := openapi.Components{
		Schemas: answerSchemas(), Parameters: map[string]*openapi.Parameter{}, Headers: headerTexts,
		Responses: map[string]*openapi.Response{unroutedName: problemResponse(unrouted)},
		SecuritySchemes: map[string]*openapi.SecurityScheme{schemeKey: {Type: "http", Scheme: "bearer",
			Description: "An API key of the node, where it has keys. The role order opens the public listener, admin both."}},
	}
	c.Responses[unroutedName].Description = "Answered without a call: " + c.Responses[unroutedName].Description
	c.Schemas["NotReady"] = notReady()
	for code := range problems {
		if problems[code].status != 0 {
			c.Schemas[problemName(stock.Code(code))] = problemSchema(stock.Code(code))
			if slices.Contains(early, problems[code].status) {
				c.Responses[problemName(stock.Code(code))] = problemResponse([]stock.Code{stock.Code(code)})
			}
		}
	}
	for name, p := range parameters {
		c.Parameters[name] = p
	}
	return c
}
