package storage

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// records says in the log what befalls several shards of a sink at once in one record instead of one for each. What a shard reports is held back
// until all have reported, or until one that did reports again: by then the others had their turn. So it is never held for longer than a shard's
// next round, and never more than one report a shard.
type records struct {
	log    *slog.Logger
	sink   string
	shards int

	mu sync.Mutex // guards what follows
	// failing holds the shards whose last attempt failed; untold is how many of them are not in the log yet.
	failing map[uint32]*failure
	untold  int
	back    []report // recovered, and not in the log yet
	gaps    []Gap    // found, and not in the log yet
}

type report struct {
	shard uint32
	index uint64
}

type failure struct {
	report
	cause string
	err   error
	told  bool
}

func newRecords(log *slog.Logger, sink string, shards int) *records {
	return &records{log: log, sink: sink, shards: shards, failing: map[uint32]*failure{}}
}

// failed notes that an attempt of a shard failed.
func (r *records) failed(shard uint32, index uint64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tellBack() // it, or one that recovered before it, is no part of one recovery with this one
	if r.failing[shard] != nil {
		r.tellFailures()
		return
	}
	r.failing[shard] = &failure{report: report{shard, index}, cause: causeOf(err), err: err}
	if r.untold++; r.untold >= r.shards {
		r.tellFailures()
	}
}

// expect says how many shards there are now.
func (r *records) expect(shards int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shards = shards; r.untold > 0 && r.untold >= shards {
		r.tellFailures()
	}
	if len(r.gaps) > 0 && len(r.gaps) >= shards {
		r.tellGaps()
	}
}

// forget lets go of a shard that is not flushed here any more.
func (r *records) forget(shard uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.failing[shard]; f != nil {
		delete(r.failing, shard)
		if !f.told {
			r.untold--
		}
	}
}

// went notes that a round of a shard went well.
func (r *records) went(shard uint32, index uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.ContainsFunc(r.gaps, func(g Gap) bool { return g.shard == shard }) {
		r.tellGaps()
	}
	if r.failing[shard] == nil {
		return
	}
	r.tellFailures()
	delete(r.failing, shard)
	if r.back = append(r.back, report{shard, index}); len(r.failing) == 0 {
		r.tellBack()
	}
}

// found notes what a sink lacked when a shard's session began.
func (r *records) found(g Gap) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gaps = append(r.gaps, g); len(r.gaps) >= r.shards {
		r.tellGaps()
	}
}

// close tells what was held back.
func (r *records) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tellGaps()
	r.tellFailures()
	r.tellBack()
}

// tellFailures makes one record for each cause.
func (r *records) tellFailures() {
	r.untold = 0
	byCause := map[string][]report{}
	errs := map[string]error{}
	var causes []string
	for _, f := range r.failing {
		if f.told {
			continue
		}
		f.told = true
		if byCause[f.cause] == nil {
			causes, errs[f.cause] = append(causes, f.cause), f.err
		}
		byCause[f.cause] = append(byCause[f.cause], f.report)
	}
	slices.Sort(causes)
	for _, cause := range causes {
		shards, indexes := columns(byCause[cause])
		r.log.Warn("storage: cannot flush, trying again", "sink", r.sink, "shards", shards, "indexes", indexes, "error", errs[cause])
	}
}

func (r *records) tellBack() {
	if len(r.back) == 0 {
		return
	}
	shards, indexes := columns(r.back)
	r.back = nil
	r.log.Info("storage: flushing again", "sink", r.sink, "shards", shards, "indexes", indexes)
}

// tellGaps makes one record of the shards whose orders may be missing, and one of those of which everything is written anew.
func (r *records) tellGaps() {
	var missing, whole []report
	for _, g := range r.gaps {
		if g.Missing() {
			missing = append(missing, report{g.shard, g.Mark})
		} else {
			whole = append(whole, report{g.shard, g.Mark})
		}
	}
	r.gaps = nil
	if len(missing) > 0 {
		shards, marks := columns(missing)
		r.log.Warn("storage: the database lacks what the log says was in one: what is in memory is written to it; orders that had left memory after "+
			"--retention are not in it and cannot come from here: they come from another node's database if it has one, else bring the old database back "+
			"if it is there, or keep it beside this one",
			"sink", r.sink, "shards", shards, "missing_up_to_index", marks)
	}
	if len(whole) > 0 {
		shards, _ := columns(whole)
		r.log.Warn("storage: the database is empty and the log is not: all orders and SKUs are written to it anew; none had left memory, so none is missing",
			"sink", r.sink, "shards", shards)
	}
}

// columns returns the shards, ascending, and what belongs to each.
func columns(reports []report) (shards []uint32, indexes []uint64) {
	slices.SortFunc(reports, func(a, b report) int { return int(a.shard) - int(b.shard) })
	for _, r := range reports {
		shards, indexes = append(shards, r.shard), append(indexes, r.index)
	}
	return shards, indexes
}

// causeOf is what an error comes from, without the step it was met in: the texts at the ends of its chains.
func causeOf(err error) string {
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return causeOf(inner)
		}
	case interface{ Unwrap() []error }:
		var ends []string
		for _, inner := range e.Unwrap() {
			ends = append(ends, causeOf(inner))
		}
		return strings.Join(ends, "; ")
	}
	return err.Error()
}
