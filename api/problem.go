package api

import (
	"strconv"

	"holdfast/api/topology"
	"holdfast/stock"
)

// maxProblemBytes bounds a problem body.
const maxProblemBytes = 1024

// problem is an answer that is not an acceptance.
type problem struct {
	code   stock.Code
	detail *stock.Detail
	// cluster is what a cluster refused, in its own words; nil for everything else.
	cluster *topology.Refusal
	// allow is the Allow header of a 405.
	allow string
	// unconfirmed: whoever refuses led when it last heard of the others (--refusals fast).
	unconfirmed bool
	// closes: the rest of the request was not read, so the connection ends with the answer.
	closes bool
}

var noDetail stock.Detail

// appendProblem appends the problem as JSON: the members of RFC 9457, then ours.
func appendProblem(b []byte, p *problem, requestID string) []byte {
	start := len(b)
	b = appendProblemOpen(b, p, requestID, true)
	if len(b)-start >= maxProblemBytes {
		b = appendProblemOpen(b[:start], p, requestID, false)
	}
	return append(b, '}')
}

// appendProblemOpen leaves the object open for more members.
func appendProblemOpen(b []byte, p *problem, requestID string, members bool) []byte {
	row, d := rowOf(p.code), p.detail
	if d == nil {
		d = &noDetail
	}
	b = append(b, `{"type":"`...)
	b = append(b, typeURN...)
	b = append(b, row.name...)
	b = append(b, `","title":"`...)
	b = append(b, row.title...)
	b = append(b, `","status":`...)
	b = strconv.AppendInt(b, int64(row.status), 10)
	detail, retryable := row.detail, row.retryable
	switch {
	case p.cluster != nil:
		detail, retryable = clusterWords(p)
	case detail == "":
		detail = clip(d.Reason, 2*maxFieldBytes)
	}
	b = textMember(b, "detail", detail)
	b = append(b, `,"code":"`...)
	b = append(b, row.name...)
	b = append(b, `","retryable":`...)
	b = strconv.AppendBool(b, retryable)
	b = textMember(b, "request_id", requestID)
	if row.members != nil && members {
		b = row.members(b, d)
	}
	if p.cluster != nil && p.code == stock.InvalidState {
		b = textMember(b, "state", string(p.cluster.Code))
	}
	return b
}

// refusal turns an outcome that is no acceptance into its problem; nil for an acceptance.
func refusal(out *stock.Outcome) *problem {
	if out.Code.Executed() {
		return nil
	}
	return &problem{code: out.Code, detail: out.Detail, unconfirmed: out.Unconfirmed}
}
