package forward

import (
	"fmt"
	"math"

	"holdfast/cluster/placement"
	"holdfast/stock"
)

// The bodies of frames are msgpack arrays, version first. Requests, outcomes and the single values are in the forms of stock/wire.go: each has one,
// so that what is read is written as the same bytes.
//
//	requests        [1, shard, [request...]]
//	answer          [1, verdict, leader, address, term, clock, [outcome...]]
//	listing         [1, [shard...], after, limit]
//	listing answer  [1, [outcome...]]                                          each with a SKU
const frameVersion = 1

// The elements of each array.
const (
	requestsFields = 3
	answerFields   = 7
	listingFields  = 4
	listedFields   = 2
)

// Bounds of what a frame may hold, whatever the bounds of whoever wrote it.
const (
	maxFrameItems    = 8192
	maxNodeBytes     = 64
	maxAddressBytes  = 512
	maxListedSKUs    = 1001
	requestsHeadroom = 16
)

// verdict says what an answer holds.
type verdict uint8

const (
	// verdictAnswered: an outcome for each request.
	verdictAnswered verdict = iota + 1
	// verdictNoLeader: the node does not lead the shard and kept nothing.
	verdictNoLeader
	// verdictClock: a deadline does not fit the leader's clock; nothing was done.
	verdictClock
)

// route is where a shard's leader is, as far as somebody knows; node "" while there is none.
type route struct {
	node, address string
	term          uint64
}

// requests is a frame with requests of one shard.
type requests struct {
	shard uint32
	list  []stock.Request
}

// appendRequestsHead appends what comes before the encoded requests.
func appendRequestsHead(b []byte, shard uint32, count int) []byte {
	b = stock.AppendWireUint(stock.AppendWireArray(b, requestsFields), frameVersion)
	return stock.AppendWireArray(stock.AppendWireUint(b, uint64(shard)), count)
}

func readRequests(body []byte) (requests, error) {
	r := stock.NewWireReader(body)
	head(r, requestsFields)
	q := requests{shard: uint32(r.Uint(math.MaxUint32))}
	n := count(r, maxFrameItems)
	if n > 0 {
		q.list = make([]stock.Request, 0, n)
	}
	for left := n; left > 0; left-- {
		one := r.Request(left)
		if one == nil {
			break
		}
		q.list = append(q.list, one)
	}
	return q, framed(r)
}

// answer is what a node says to a frame with requests.
type answer struct {
	verdict verdict
	// leader is where the shard's leader is, as far as the answering node knows.
	leader route
	// clock is the answering leader's; zero when it does not lead.
	clock    stock.Time
	outcomes []stock.Outcome
}

func (a *answer) append(b []byte) ([]byte, error) {
	b = stock.AppendWireUint(stock.AppendWireArray(b, answerFields), frameVersion)
	b = stock.AppendWireUint(b, uint64(a.verdict))
	b = stock.AppendWireText(stock.AppendWireText(b, a.leader.node), a.leader.address)
	b = stock.AppendWireInt(stock.AppendWireUint(b, a.leader.term), int64(a.clock))
	return appendOutcomes(b, a.outcomes)
}

func appendOutcomes(b []byte, outs []stock.Outcome) ([]byte, error) {
	b = stock.AppendWireArray(b, len(outs))
	for i := range outs {
		var err error
		if b, err = stock.AppendOutcome(b, &outs[i]); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func readAnswer(body []byte) (answer, error) {
	r := stock.NewWireReader(body)
	head(r, answerFields)
	a := answer{verdict: verdict(r.Uint(uint64(verdictClock)))}
	if a.verdict == 0 {
		r.Fail("no verdict")
	}
	a.leader = route{r.Text(maxNodeBytes), r.Text(maxAddressBytes), r.Uint(math.MaxUint64)}
	a.clock = stock.Time(r.Int())
	a.outcomes = readOutcomes(r, maxFrameItems)
	return a, framed(r)
}

func readOutcomes(r *stock.WireReader, limit int) (outs []stock.Outcome) {
	n := count(r, limit)
	if n > 0 {
		outs = make([]stock.Outcome, n)
	}
	for i := range outs {
		outs[i] = r.Outcome()
	}
	return outs
}

// listing asks for the SKUs of some shards whose names come after one.
type listing struct {
	shards []uint32
	after  string
	limit  int
}

func (l *listing) append(b []byte) []byte {
	b = stock.AppendWireUint(stock.AppendWireArray(b, listingFields), frameVersion)
	b = stock.AppendWireArray(b, len(l.shards))
	for _, s := range l.shards {
		b = stock.AppendWireUint(b, uint64(s))
	}
	return stock.AppendWireUint(stock.AppendWireText(b, l.after), uint64(l.limit))
}

func readListing(body []byte) (listing, error) {
	r := stock.NewWireReader(body)
	head(r, listingFields)
	var l listing
	for range count(r, placement.MaxShards) {
		l.shards = append(l.shards, uint32(r.Uint(math.MaxUint32)))
	}
	l.after = r.Text(stock.MaxNameBytes)
	l.limit = int(r.Uint(maxListedSKUs))
	return l, framed(r)
}

func appendListed(b []byte, skus []stock.SKU) ([]byte, error) {
	outs := make([]stock.Outcome, len(skus))
	for i := range skus {
		outs[i] = stock.Outcome{Code: stock.OK, SKU: &skus[i]}
	}
	b = stock.AppendWireUint(stock.AppendWireArray(b, listedFields), frameVersion)
	return appendOutcomes(b, outs)
}

func readListed(body []byte) ([]stock.SKU, error) {
	r := stock.NewWireReader(body)
	head(r, listedFields)
	outs := readOutcomes(r, maxListedSKUs)
	if err := framed(r); err != nil {
		return nil, err
	}
	skus := make([]stock.SKU, len(outs))
	for i, out := range outs {
		if out.SKU == nil || out.Order != nil || out.Detail != nil || out.Replayed || out.Code != stock.OK {
			return nil, fmt.Errorf("%w: a listing of something else than SKUs", ErrFrame)
		}
		skus[i] = *out.SKU
	}
	return skus, nil
}

// head reads the array's length and the version.
func head(r *stock.WireReader, fields int) {
	if r.Array() != fields {
		r.Fail("frame of another length")
	}
	if r.Uint(math.MaxUint64) != frameVersion {
		r.Fail("frame of another version")
	}
}

// count reads the length of a list of at most limit elements; 0 for what is longer.
func count(r *stock.WireReader, limit int) int {
	n := r.Array()
	if n > limit {
		r.Fail("longer list than is written")
		return 0
	}
	return n
}

// framed returns what was wrong with a frame.
func framed(r *stock.WireReader) error {
	if err := r.End(); err != nil {
		return fmt.Errorf("%w: %w", ErrFrame, err)
	}
	return nil
}
