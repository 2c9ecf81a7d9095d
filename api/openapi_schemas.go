package api

import (
	"maps"
	"net/http"
	"slices"

	"holdfast/api/openapi"
	"holdfast/stock"
)

// textPattern is a text without control characters, in the part of regular expressions that all engines share.
const textPattern = `^[^\x00-\x1f\x7f-\x9f]*$`

// momentPattern is a time as a body may give it, instantPattern one as an answer has it.
const (
	momentPattern  = `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,3})?(Z|[+-][0-9]{2}:[0-9]{2})$`
	instantPattern = `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$`
)

// dots are the two names that a path could not carry.
var dots = &openapi.Schema{Enum: []any{".", ".."}}

// valueOf describes what a member of a body may hold.
func valueOf(m *member) *openapi.Schema {
	v := &openapi.Schema{Description: m.about, Default: m.byDefault}
	switch m.kind {
	case aText, aSKU:
		v.Type, v.MinLength, v.MaxLength, v.MaxBytes, v.Pattern = "string", int64s(m.low), int64s(m.high), m.high, textPattern
	case aKey:
		v.Type, v.MinLength, v.MaxLength, v.Pattern = "string", int64s(m.low), int64s(m.high), `^[\x21-\x7e]*$`
	case anInteger:
		v.Type, v.Format, v.Minimum, v.Maximum = "integer", "int64", int64s(m.low), int64s(m.high)
	case aBoolean:
		v.Type = "boolean"
	case aMode:
		v.Type, v.Enum = "string", modes()
	case aMoment:
		v.Type, v.Format, v.Pattern = "string", "date-time", momentPattern
		v.Description += " After 1970."
	}
	switch {
	case m.kind == aSKU || m.kind == aKey:
		v.Not = dots
	case m.nonzero:
		v.Not = &openapi.Schema{Const: 0}
	}
	if m.nullable {
		v.Type = []string{v.Type.(string), "null"}
	}
	return v
}

func modes() (names []any) {
	for _, m := range []stock.Mode{stock.ModeHold, stock.ModeOnOrder, stock.ModeOnPayment} {
		names = append(names, m.String())
	}
	return names
}

func states() (names []any) {
	for _, s := range []stock.State{stock.StateOpen, stock.StateHeld, stock.StateConfirmed, stock.StateCancelled, stock.StateExpired,
		stock.StateReturned} {
		names = append(names, s.String())
	}
	return names
}

// bodies adds a schema for each body. They are closed: what they do not name is refused with unknown_field.
func bodies(schemas map[string]*openapi.Schema, maxItems int) {
	for _, sh := range shapes {
		body := &openapi.Schema{Type: "object", Properties: map[string]*openapi.Schema{}, AdditionalProperties: new(bool)}
		for i := range sh.members {
			m := &sh.members[i]
			switch {
			case m.fixed:
				continue
			case m.kind == aList:
				body.Properties[m.name] = &openapi.Schema{Type: "array", Description: m.about, Items: openapi.RefTo(batchItemShape.name),
					MinItems: int64s(1), MaxItems: int64s(int64(maxItems))}
			default:
				body.Properties[m.name] = valueOf(m)
			}
			if m.required {
				body.Required = append(body.Required, m.name)
			}
		}
		schemas[sh.name] = body
	}
}

// The values of answers.
func count(about string) *openapi.Schema {
	return &openapi.Schema{Type: "integer", Format: "int64", Minimum: int64s(0), Description: about}
}

func text(about string) *openapi.Schema { return &openapi.Schema{Type: "string", Description: about} }

func flag(about string) *openapi.Schema { return &openapi.Schema{Type: "boolean", Description: about} }

func instant(about string) *openapi.Schema {
	return &openapi.Schema{Type: "string", Format: "date-time", Pattern: instantPattern, Description: about}
}

func instantOrNull(about string) *openapi.Schema {
	v := instant(about)
	v.Type = []string{"string", "null"}
	return v
}

func oneOf(about string, values []any) *openapi.Schema {
	return &openapi.Schema{Type: "string", Enum: values, Description: about}
}

func always(v any) *openapi.Schema { return &openapi.Schema{Const: v} }

func listOf(items *openapi.Schema) *openapi.Schema {
	return &openapi.Schema{Type: "array", Items: items}
}

type properties map[string]*openapi.Schema

// object describes an answer's object: all of its members are there, except those that are named as optional.
func object(about string, members properties, optional ...string) *openapi.Schema {
	v := &openapi.Schema{Type: "object", Description: about, Properties: members}
	for name := range members {
		if !slices.Contains(optional, name) {
			v.Required = append(v.Required, name)
		}
	}
	slices.Sort(v.Required)
	return v
}

const logIndex = "The position in the log that changed it last."

// answerSchemas are the bodies of answers that are no problems, as appendOrder, appendSKU and the calls write them.
func answerSchemas() map[string]*openapi.Schema {
	all := map[string]*openapi.Schema{
		"Order": object("One buyer's claim on one SKU.", properties{
			"id": {Type: "string", Pattern: "^[0-9A-Za-z]{1,26}$"}, "sku": text(""), "user": text(""), "qty": count("Units."),
			"state": oneOf("open or held, then confirmed, cancelled or expired; confirmed, then returned.", states()),
			"mode":  oneOf("The SKU's.", modes()), "client_ref": text(""), "payment_id": text(""),
			"expires_at": instant("Its deadline; not there in mode on_order."), "returned_qty": count("Units that came back; not there while none did."),
			"created_at": instant(""), "updated_at": instant(""), "as_of_index": count(logIndex),
		}, "client_ref", "payment_id", "expires_at", "returned_qty"),
		"Sku": object("stock = available + held + sold.", properties{
			"sku": text(""), "stock": count(""), "available": count(""), "held": count(""), "sold": count(""), "mode": oneOf("", modes()),
			"hold_ttl_ms": count(""), "limit_per_user": count("0: no limit."), "max_qty": count(""), "opens_at": instantOrNull(""),
			"closes_at": instantOrNull(""), "frozen": flag(""), "hot": flag(""), "shard": count(""),
			"leader": text("The node that leads the shard; empty while there is none."), "as_of_index": count(logIndex),
		}),
		"SkuPage": object("", properties{"skus": listOf(openapi.RefTo("Sku")), "next_cursor": text("For the next page; not there on the last.")},
			"next_cursor"),
		"Availability": object("", properties{
			"sku": text(""), "available": count(""), "held": count(""), "sold": count(""), "opens_at": instant(""), "closes_at": instant(""),
			"state":       oneOf("The first that applies.", []any{"frozen", "ended", "upcoming", "open", "sold_out_pending", "sold_out"}),
			"server_time": instant(""), "as_of_index": count(logIndex),
		}, "opens_at", "closes_at"),
		"Outcome": {OneOf: []*openapi.Schema{openapi.RefTo("AcceptedOutcome"), openapi.RefTo("FencedOutcome")},
			Discriminator: &openapi.Discriminator{PropertyName: "outcome", Mapping: map[string]string{
				"accepted": openapi.RefTo("AcceptedOutcome").Ref, "fenced": openapi.RefTo("FencedOutcome").Ref}}},
		"AcceptedOutcome": object("The order as first given.", properties{"outcome": always("accepted"), "order": openapi.RefTo("Order")}),
		"FencedOutcome":   object("No order is accepted under this key.", properties{"outcome": always("fenced")}),
		"BatchResults":    object("", properties{"results": listOf(openapi.RefTo("BatchResult"))}),
		"BatchResult":     {OneOf: []*openapi.Schema{openapi.RefTo("BatchAccepted"), openapi.RefTo("BatchRefused")}},
		"BatchAccepted": object("", properties{"status": always(http.StatusCreated), "order": openapi.RefTo("Order"),
			"replayed": {Const: true, Description: "The answer was given before. Else it is not there."}}, "replayed"),
		"BatchRefused": object("", properties{"status": {Type: "integer", Enum: statusesOf(itemCodes())}, "problem": problemOf(itemCodes())}),
		"Live":         object("", properties{"live": always(true)}),
		"Ready":        object("", properties{"ready": always(true), "checks": listOf(openapi.RefTo("Check"))}, "checks"),
		"Check": object("", properties{"name": text(""), "ok": flag(""), "detail": text("What was found."),
			"advisory": {Const: true, Description: "Shown, but does not make the node unready. Else it is not there."}}, "detail", "advisory"),
		"Version":  object("", properties{"version": text(""), "commit": text(""), "go": text("")}),
		"Contract": {Type: "object"},
	}
	maps.Copy(all, clusterSchemas())
	return all
}
