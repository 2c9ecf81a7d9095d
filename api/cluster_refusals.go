package api

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"holdfast/api/topology"
	"holdfast/stock"
)

// maxWordsBytes bounds what a cluster says in a problem.
const maxWordsBytes = 400

// clusterCodes are the codes of what a cluster refuses, states apart: those are invalid_state.
var clusterCodes = map[topology.Code]stock.Code{
	topology.InvalidValue: stock.InvalidValue, topology.UnknownNode: nodeNotFound, topology.UnknownShard: shardNotFound,
	topology.UnknownChange: changeNotFound, topology.Overloaded: stock.Overloaded, topology.NoLeader: stock.NoLeader,
	topology.Draining: stock.Draining, topology.DeadlineExceeded: stock.DeadlineExceeded, topology.OutcomeUnknown: stock.OutcomeUnknown,
	topology.Internal: stock.Internal,
}

// clusterProblem returns the problem of a refusal; nil for the zero one, which is none. A code that is not known is a bug, and answered as such.
func clusterProblem(r *topology.Refusal) *problem {
	if !r.Refused() {
		return nil
	}
	code, known := clusterCodes[r.Code]
	switch {
	case slices.Contains(topology.States, r.Code):
		return &problem{code: stock.InvalidState, cluster: r}
	case !known || code == stock.Internal:
		return &problem{code: stock.Internal}
	case code == stock.InvalidValue:
		return &problem{code: code, detail: &stock.Detail{Field: r.Field, Reason: r.Reason}}
	case code == stock.Overloaded:
		return &problem{code: code, detail: &stock.Detail{Bound: r.Bound}}
	case rowOf(code).status >= 500:
		return &problem{code: code}
	}
	return &problem{code: code, cluster: r}
}

// clusterWords returns what a problem says in place of its row: what is the matter and the way out, and for a state whether it may pass.
func clusterWords(p *problem) (detail string, retryable bool) {
	row := rowOf(p.code)
	if detail = sentence(p.cluster.Text) + " " + sentence(p.cluster.WayOut); p.cluster.Text == "" || p.cluster.WayOut == "" {
		detail = strings.TrimSpace(detail)
	}
	if detail == "" {
		detail = row.detail
	}
	return clip(detail, maxWordsBytes), row.retryable || p.code == stock.InvalidState && p.cluster.Retryable
}

// sentence gives a text a capital and a full stop.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(text)
	// A name keeps its letters: nothing of ours begins with the name of a node, a shard or a change.
	text = string(unicode.ToUpper(first)) + text[size:]
	if strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}
