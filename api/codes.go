package api

import (
	"net/http"

	"holdfast/stock"
)

// The codes that a request can earn before the core has seen it. They continue stock's, so that one table and one type hold all.
const (
	malformedJSON = stock.Internal + 1 + iota
	duplicateField
	unknownField
	missingField
	codeOfKey
	keyMissing
	badPath
	routeNotFound
	methodNotAllowed
	bodyTimeout
	lengthRequired
	bodyTooLarge
	batchTooLarge
	unsupportedMediaType
	unauthenticated
	forbidden
	nodeNotFound
	shardNotFound
	changeNotFound
	endOfCodes
)

// typeURN goes before a code to make a problem's type. A URN, because a host in it would be a promise to serve something there for ever.
const typeURN = "urn:holdfast:problem:"

// row is what the API says of a code.
type row struct {
	status int
	name   string
	title  string
	// detail is the sentence of every such problem; "" takes Detail.Reason.
	detail    string
	retryable bool
	// members appends the members that the code has.
	members func(b []byte, d *stock.Detail) []byte
}

// problems is the code table of docs/api.md. What has no row (stock.OK, stock.OutcomeFenced) is not a problem.
var problems = [endOfCodes]row{
	malformedJSON: {400, "malformed_json", "Malformed JSON", "", false, nil},
	duplicateField: {400, "duplicate_field", "Duplicate field",
		"A member stands twice in its object.", false, fieldMember},
	unknownField: {400, "unknown_field", "Unknown field",
		"The body has a member that this call does not take. Names match exactly.", false, fieldMember},
	missingField: {400, "missing_field", "Missing field",
		"A required member is not there.", false, fieldMember},
	stock.InvalidValue: {400, "invalid_value", "Invalid value",
		"A value is not one that this call takes.", false, fieldMembers},
	keyMissing: {400, "idempotency_key_missing", "Idempotency key missing",
		"This call needs an Idempotency-Key header.", false, nil},
	codeOfKey: {400, "idempotency_key_invalid", "Idempotency key invalid",
		"An idempotency key is 1 to 255 bytes of 0x21 to 0x7E, given once.", false, fieldMembers},
	badPath: {400, "bad_path", "Bad path",
		"The path has an empty, . or .. segment.", false, nil},

	unauthenticated: {401, "unauthenticated", "Unauthenticated",
		"This call needs Authorization: Bearer and a key that is in force.", false, nil},
	forbidden: {403, "forbidden", "Forbidden", "", false, nil},
	stock.NotStarted: {403, "not_started", "The sale has not started",
		"The sale opens later.", true, notStartedMembers},
	stock.Ended: {403, "ended", "The sale has ended",
		"The sale is over.", false, endedMembers},

	routeNotFound: {404, "route_not_found", "No such route",
		"Nothing is served under this path on this listener.", false, nil},
	stock.SKUNotFound: {404, "sku_not_found", "No such SKU",
		"There is no SKU of this name.", false, nil},
	stock.OrderNotFound: {404, "order_not_found", "No such order",
		"There is no order with this id.", false, nil},
	stock.OutcomeNotSeen: {404, "outcome_not_seen", "No outcome under this key",
		"No order was accepted or fenced under this key. One may still be under way; a fence excludes that.", false, nil},
	nodeNotFound: {404, "node_not_found", "No such node",
		"The cluster has no node of this id.", false, nil},
	shardNotFound: {404, "shard_not_found", "No such shard",
		"There is no data shard of this number, or no replica of it on that node.", false, nil},
	changeNotFound: {404, "change_not_found", "No such change",
		"There is no change of this id, or it ended long ago.", false, nil},
	methodNotAllowed: {405, "method_not_allowed", "Method not allowed",
		"The Allow header names the methods of this path.", false, nil},

	bodyTimeout: {408, "body_timeout", "The body came too slowly",
		"The body did not arrive in time. Nothing was executed.", true, nil},
	lengthRequired: {411, "length_required", "Content-Length required",
		"A body needs a Content-Length; chunked bodies are not taken.", false, nil},
	bodyTooLarge: {413, "body_too_large", "Body too large",
		"The body is longer than this call takes.", false, limitBytesMember},
	batchTooLarge: {413, "batch_too_large", "Batch too large",
		"The batch has more orders than a call takes.", false, limitMember},
	unsupportedMediaType: {415, "unsupported_media_type", "Unsupported media type",
		"A body needs Content-Type: application/json.", false, nil},

	stock.SoldOut: {409, "sold_out", "Sold out",
		"Every unit is sold.", false, nil},
	stock.LimitExceeded: {409, "limit_exceeded", "Limit per user exceeded",
		"The order would take the user over the limit.", false, limitMembers},
	stock.Fenced: {409, "fenced", "Key fenced",
		"The key was fenced: no order is ever accepted under it.", false, nil},
	stock.OrderExpired: {409, "order_expired", "Order expired",
		"The order's deadline passed before its payment.", false, expiredMember},
	stock.InvalidState: {409, "invalid_state", "Not in this state",
		"The order's state does not allow this call.", false, stateMembers},
	stock.DuplicatePayment: {409, "duplicate_payment", "Already paid",
		"The order was paid with another payment.", false, paymentMember},
	stock.SKUExists: {409, "sku_exists", "SKU exists",
		"A SKU of this name was created otherwise.", false, differsMember},
	stock.SoldOutPending: {409, "sold_out_pending", "Sold out for now",
		"Nothing is available; units that are held may be released.", true, pendingMembers},
	stock.InsufficientStock: {409, "insufficient_stock", "Not enough stock",
		"Fewer units are available than asked for.", true, availableMember},

	stock.IdempotencyKeyReused: {422, "idempotency_key_reused", "Idempotency key reused",
		"The key belongs to a request with another body.", false, differsMember},
	stock.QtyAboveMax: {422, "qty_above_max", "Quantity above the maximum",
		"One order of this SKU takes fewer units.", false, maxQtyMember},
	stock.Frozen: {423, "frozen", "Frozen",
		"The SKU is frozen.", true, nil},

	stock.Internal: {500, "internal", "Internal fault",
		"A fault in the server. The outcome is unknown; ask with the same key.", true, nil},
	stock.Overloaded: {503, "overloaded", "Overloaded",
		"A bound was reached. Nothing was executed.", true, boundMember},
	stock.NoLeader: {503, "no_leader", "No leader",
		"Nobody may decide right now. Nothing was executed.", true, nil},
	stock.Draining: {503, "draining", "Draining",
		"This node is going down. Nothing was executed.", true, nil},
	stock.DeadlineExceeded: {503, "deadline_exceeded", "Deadline exceeded",
		"The deadline passed before anything happened. Nothing was executed.", true, nil},
	stock.OutcomeUnknown: {504, "outcome_unknown", "Outcome unknown",
		"It may have happened. Ask with the same key.", true, nil},
}

// rowOf returns the code's row. A code without one is a bug, and answered as such.
func rowOf(code stock.Code) *row {
	if int(code) >= len(problems) || problems[code].status == 0 {
		code = stock.Internal
	}
	return &problems[code]
}

// retryAfter returns the seconds after which a caller should come again; 0 for no such header.
func retryAfter(code stock.Code, d *stock.Detail, now stock.Time) int64 {
	if rowOf(code).status == http.StatusServiceUnavailable {
		return 1
	}
	if code == stock.NotStarted && d != nil && d.OpensAt > now {
		return (int64(d.OpensAt-now) + 999) / 1000
	}
	if code == stock.NotStarted {
		return 1
	}
	return 0
}
