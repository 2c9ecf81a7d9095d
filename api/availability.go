package api

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"holdfast/stock"
)

var oneSecond = []string{"max-age=1"}

// availability answers GET /v1/skus/{sku}/availability from the published snapshot.
func (x *exchange) availability() *problem {
	sku, p := x.sku()
	if p != nil {
		return p
	}
	a, ok := x.s.cfg.Core.Availability(sku)
	if !ok {
		var code stock.Code
		ctx, cancel := x.deadline()
		a, code = x.s.cfg.Core.Nearest(ctx, sku)
		cancel()
		if code != stock.OK {
			return &problem{code: code}
		}
	}
	now := stock.TimeOf(x.s.cfg.Now())
	b := append(x.out, `{"sku":`...)
	b = appendString(b, a.SKU)
	b = textMember(b, "state", a.State(now))
	b = intMember(b, "available", a.Available)
	b = intMember(b, "held", a.Held)
	b = intMember(b, "sold", a.Sold)
	b = timeMember(b, "opens_at", a.OpensAt)
	b = timeMember(b, "closes_at", a.ClosesAt)
	b = strconv.AppendUint(memberName(b, "as_of_index"), a.Index, 10)
	// The tag is taken before server_time is there: the same availability a moment later has the same tag.
	etag := fmt.Sprintf(`W/"%016x"`, xxhash.Sum64(b))
	b = appendTime(memberName(b, "server_time"), now)
	x.out = append(b, '}')

	h := x.w.Header()
	h["Etag"] = []string{etag}
	h["Cache-Control"] = oneSecond
	if matches(x.r.Header["If-None-Match"], etag) {
		x.status = http.StatusNotModified
		x.w.WriteHeader(x.status)
		return nil
	}
	x.json(http.StatusOK)
	return nil
}

// matches compares weakly, as RFC 9110 wants it for If-None-Match.
func matches(headers []string, etag string) bool {
	for _, header := range headers {
		for tag := range strings.SplitSeq(header, ",") {
			tag = strings.TrimSpace(tag)
			if tag == "*" || strings.TrimPrefix(tag, "W/") == strings.TrimPrefix(etag, "W/") {
				return true
			}
		}
	}
	return false
}
