package api

import (
	"strconv"
	"time"
	"unicode/utf8"

	"holdfast/stock"
)

// appendOrder appends an order as the API shows it. The same order gives the same bytes, so a replay repeats the first answer exactly.
func appendOrder(b []byte, o *stock.Order) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, o.ID.String()...)
	b = append(b, `","sku":`...)
	b = appendString(b, o.SKU)
	b = textMember(b, "user", o.User)
	b = intMember(b, "qty", o.Qty)
	b = append(b, `,"state":"`...)
	b = append(b, o.State.String()...)
	b = append(b, `","mode":"`...)
	b = append(b, o.Mode.String()...)
	b = append(b, '"')
	if o.ClientRef != "" {
		b = textMember(b, "client_ref", o.ClientRef)
	}
	if o.PaymentID != "" {
		b = textMember(b, "payment_id", o.PaymentID)
	}
	b = timeMember(b, "expires_at", o.ExpiresAt)
	if o.ReturnedQty != 0 {
		b = intMember(b, "returned_qty", o.ReturnedQty)
	}
	b = appendTime(memberName(b, "created_at"), o.CreatedAt)
	b = appendTime(memberName(b, "updated_at"), o.UpdatedAt)
	b = append(b, `,"as_of_index":`...)
	b = strconv.AppendUint(b, o.Version, 10)
	return append(b, '}')
}

// appendSKU appends a SKU as operators see it. A time that is not set is null.
func appendSKU(b []byte, k *stock.SKU, shard uint32, leader string) []byte {
	b = append(b, `{"sku":`...)
	b = appendString(b, k.SKU)
	b = intMember(b, "stock", k.Stock)
	b = intMember(b, "available", k.Available)
	b = intMember(b, "held", k.Held)
	b = intMember(b, "sold", k.Sold)
	b = textMember(b, "mode", k.Mode.String())
	b = intMember(b, "hold_ttl_ms", k.HoldTTLMS)
	b = intMember(b, "limit_per_user", k.LimitPerUser)
	b = intMember(b, "max_qty", k.MaxQty)
	b = appendTimeOrNull(memberName(b, "opens_at"), k.OpensAt)
	b = appendTimeOrNull(memberName(b, "closes_at"), k.ClosesAt)
	b = strconv.AppendBool(memberName(b, "frozen"), k.Frozen || k.Broken)
	b = strconv.AppendBool(memberName(b, "hot"), k.Hot)
	b = intMember(b, "shard", int64(shard))
	b = textMember(b, "leader", leader)
	b = strconv.AppendUint(memberName(b, "as_of_index"), k.Version, 10)
	return append(b, '}')
}

func appendTimeOrNull(b []byte, t stock.Time) []byte {
	if t == 0 {
		return append(b, "null"...)
	}
	return appendTime(b, t)
}

// appendTime appends a time as RFC 3339 in UTC with exactly three decimals, in quotes. The standard layout has a fast path that one with
// decimals has not (BenchmarkAppendTime), so these are put in afterwards.
func appendTime(b []byte, t stock.Time) []byte {
	std := t.Std()
	b = std.AppendFormat(append(b, '"'), time.RFC3339)
	ms := std.Nanosecond() / int(time.Millisecond)
	return append(b[:len(b)-1], '.', '0'+byte(ms/100), '0'+byte(ms/10%10), '0'+byte(ms%10), 'Z', '"')
}

const hexDigits = "0123456789abcdef"

// appendString appends a JSON string. Only what JSON requires is escaped; bytes that are not UTF-8 become U+FFFD.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			b = append(append(b, s[start:i]...), "\uFFFD"...)
		} else {
			b = append(b, s[start:i]...)
			b = appendEscaped(b, c)
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

func appendEscaped(b []byte, c byte) []byte {
	if c == '"' || c == '\\' {
		return append(b, '\\', c)
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xF])
}

// appendMS appends a duration as milliseconds with three decimals, as Server-Timing wants it.
func appendMS(b []byte, d time.Duration) []byte {
	return strconv.AppendFloat(b, float64(d.Microseconds())/1000, 'f', 3, 64)
}
