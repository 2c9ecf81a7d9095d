package api

import (
	"strconv"
	"unicode/utf8"

	"holdfast/stock"
)

// maxFieldBytes bounds how much of a name from the input an error repeats.
const maxFieldBytes = 64

func fieldMember(b []byte, d *stock.Detail) []byte {
	return textMember(b, "field", clip(d.Field, maxFieldBytes))
}

func fieldMembers(b []byte, d *stock.Detail) []byte {
	if d.Field != "" {
		b = fieldMember(b, d)
	}
	return textMember(b, "reason", clip(d.Reason, 2*maxFieldBytes))
}

func notStartedMembers(b []byte, d *stock.Detail) []byte { return timeMember(b, "opens_at", d.OpensAt) }

func endedMembers(b []byte, d *stock.Detail) []byte { return timeMember(b, "closes_at", d.ClosesAt) }

func expiredMember(b []byte, d *stock.Detail) []byte { return timeMember(b, "expired_at", d.ExpiredAt) }

func limitBytesMember(b []byte, d *stock.Detail) []byte { return intMember(b, "limit_bytes", d.Limit) }

func limitMember(b []byte, d *stock.Detail) []byte { return intMember(b, "limit", d.Limit) }

func limitMembers(b []byte, d *stock.Detail) []byte {
	return intMember(intMember(b, "limit", d.Limit), "used", d.Used)
}

// stateMembers names the state, and for a return how many units could come back.
func stateMembers(b []byte, d *stock.Detail) []byte {
	if d.State != 0 {
		b = textMember(b, "state", d.State.String())
	}
	if d.Returnable > 0 {
		b = intMember(b, "returnable", d.Returnable)
	}
	return b
}

func paymentMember(b []byte, d *stock.Detail) []byte {
	return textMember(b, "first_payment_id", d.FirstPaymentID)
}

func pendingMembers(b []byte, d *stock.Detail) []byte {
	return timeMember(intMember(b, "held", d.Held), "next_release_at", d.NextReleaseAt)
}

func availableMember(b []byte, d *stock.Detail) []byte { return intMember(b, "available", d.Available) }

func maxQtyMember(b []byte, d *stock.Detail) []byte { return intMember(b, "max_qty", d.MaxQty) }

func boundMember(b []byte, d *stock.Detail) []byte {
	return textMember(b, "bound", clip(d.Bound, maxFieldBytes))
}

func differsMember(b []byte, d *stock.Detail) []byte {
	b = append(b, `,"differs":[`...)
	for i, name := range d.Differs {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, name)
	}
	return append(b, ']')
}

func textMember(b []byte, name, value string) []byte {
	return appendString(memberName(b, name), value)
}

func intMember(b []byte, name string, n int64) []byte {
	return strconv.AppendInt(memberName(b, name), n, 10)
}

// timeMember writes nothing for the zero time, which means none.
func timeMember(b []byte, name string, t stock.Time) []byte {
	if t == 0 {
		return b
	}
	return appendTime(memberName(b, name), t)
}

func memberName(b []byte, name string) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	return append(b, '"', ':')
}

// clip cuts a text to at most n bytes of JSON, at the start of a character. What it leaves may take six times its length when it is escaped, so that
// is what counts.
func clip(s string, n int) string {
	if maxEscape*len(s) <= n {
		return s
	}
	for i, r := range s {
		if n -= encodedBytes(r); n < 0 {
			return s[:i] + "..."
		}
	}
	return s
}

// maxEscape is the most bytes that appendString writes for one byte: a control character's.
const maxEscape = len(`\u0000`)

// encodedBytes is how many bytes appendString writes for a character. A byte that is not UTF-8 is the one that it writes instead.
func encodedBytes(r rune) int {
	switch {
	case r == '"' || r == '\\':
		return 2
	case r < 0x20:
		return maxEscape
	}
	return utf8.RuneLen(r)
}
