package wal_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/wal"
)

var stressFor = flag.Duration("stress", 2*time.Second, "how long TestStress goes on")

// cut is a suffix that was removed, durably: what stands at first or behind it has been written later.
type cut struct {
	first uint64
	life  uint64 // of entries written since
}

// stressed is a group with one goroutine that changes it and others that read it.
type stressed struct {
	g    *wal.Group
	cuts atomic.Pointer[[]cut] // the newest ones
	low  atomic.Uint64         // the prefix before it was removed, durably

	// Of the goroutine that changes it.
	r           *rand.Rand
	first, last uint64
	life        uint64
	lives       map[uint64]uint64 // of each entry there is
}

func (s *stressed) entry(i uint64) *raft.Log {
	n := 1 + s.r.IntN(700)
	if s.r.IntN(20) == 0 {
		n = 4000
	}
	data := make([]byte, n)
	for at := range data {
		data[at] = byte(s.life)
	}
	return &raft.Log{Index: i, Term: s.life, Data: data}
}

func (s *stressed) append() error {
	var logs []*raft.Log
	for range 1 + s.r.IntN(6) {
		logs = append(logs, s.entry(s.last+uint64(len(logs))+1))
	}
	if err := s.g.StoreLogs(logs); err != nil {
		return err
	}
	if s.first == 0 {
		s.first = logs[0].Index
	}
	for _, e := range logs {
		s.last, s.lives[e.Index] = e.Index, e.Term
	}
	return nil
}

// dropSuffix removes the entries from i on; those written afterwards have another life.
func (s *stressed) dropSuffix(i uint64) error {
	if err := s.g.DeleteRange(i, s.last); err != nil {
		return err
	}
	s.life++
	cuts := append([]cut{}, *s.cuts.Load()...)
	cuts = append(cuts, cut{i, s.life})
	cuts = cuts[max(0, len(cuts)-100):]
	s.cuts.Store(&cuts)
	for ; s.last >= i; s.last-- {
		delete(s.lives, s.last)
	}
	return nil
}

func (s *stressed) dropPrefix(to uint64) error {
	if err := s.g.DeleteRange(0, to); err != nil {
		return err
	}
	for ; s.first <= to; s.first++ {
		delete(s.lives, s.first)
	}
	s.low.Store(s.first)
	return nil
}

func (s *stressed) step() error {
	switch n := s.last - s.first; {
	case s.first == 0 || n < 5 || s.r.IntN(3) > 0:
		return s.append()
	case s.r.IntN(8) == 0:
		return s.g.SetUint64([]byte("CurrentTerm"), s.life)
	case s.r.IntN(3) == 0:
		return s.dropSuffix(s.first + 1 + s.r.Uint64N(n))
	case n > 60:
		return s.dropPrefix(s.first + s.r.Uint64N(n-2))
	}
	return s.append()
}

// read looks at one entry and says what is wrong with it.
func (s *stressed) read(r *rand.Rand) error {
	low, cuts := s.low.Load(), *s.cuts.Load()
	last, err := s.g.LastIndex()
	if err != nil {
		return err
	}
	first, err := s.g.FirstIndex()
	if err != nil {
		return err
	}
	if first > last+1 && first != 0 && last != 0 {
		last = first // the prefix went between the two
	}
	i := first + r.Uint64N(max(1, last-min(last, first)+1))
	var e raft.Log
	if err := s.g.GetLog(i, &e); err != nil {
		if errors.Is(err, raft.ErrLogNotFound) {
			return nil
		}
		return err
	}
	if e.Index != i || i < low {
		return fmt.Errorf("entry %d instead of %d, the first is %d", e.Index, i, low)
	}
	for _, c := range cuts {
		if i >= c.first && e.Term < c.life {
			return fmt.Errorf("entry %d of life %d was removed: from %d on they have life %d", i, e.Term, c.first, c.life)
		}
	}
	for _, b := range e.Data {
		if b != byte(e.Term) {
			return fmt.Errorf("entry %d of life %d holds bytes of another", i, e.Term)
		}
	}
	return nil
}

// check compares all that is there.
func (s *stressed) check(t *testing.T) {
	t.Helper()
	first, _ := s.g.FirstIndex()
	last, _ := s.g.LastIndex()
	if first != s.first || last != s.last {
		t.Fatalf("group %d holds %d to %d, want %d to %d", s.g.ID(), first, last, s.first, s.last)
	}
	for i, life := range s.lives {
		var e raft.Log
		must(t, s.g.GetLog(i, &e))
		if e.Term != life || e.Index != i {
			t.Fatalf("group %d: entry %d of life %d, want %d", s.g.ID(), i, e.Term, life)
		}
	}
}

// TestStress lets each of some groups be appended to, cut at both ends and read at once, while the log recycles, rewrites
// and stops for the rewriter; again and again until it is closed in the middle of it, and opened anew. No read shows what
// was removed before it began, or bytes of another entry.
func TestStress(t *testing.T) {
	cfg := wal.Config{Dir: t.TempDir(), SegmentBytes: 64 << 10, CacheBytes: 32 << 10, DeadBytes: 1, SoftBytes: 2 << 20, HardBytes: 3 << 20}
	cfg.OnFatal = func(err error) { t.Error(err) }
	var groups []*stressed
	for id := range uint64(6) {
		s := &stressed{r: rand.New(rand.NewPCG(id, 5)), lives: map[uint64]uint64{}, life: 1}
		s.cuts.Store(&[]cut{})
		groups = append(groups, s)
	}
	rewritten, reads := int64(0), atomic.Int64{}
	// Some rounds more when the rewriter had nothing to do by chance.
	for end, round := time.Now().Add(*stressFor), 0; round < 2 || time.Now().Before(end) || rewritten == 0 && round < 40; round++ {
		l, err := wal.Open(cfg)
		must(t, err)
		for id, s := range groups {
			s.g = l.Group(uint32(id))
			s.check(t)
		}
		var work sync.WaitGroup
		until := time.Now().Add(500 * time.Millisecond)
		for id, s := range groups {
			if id == round%len(groups) {
				continue // stands still
			}
			work.Go(func() {
				for n := 0; time.Now().Before(until) && !t.Failed(); n++ {
					if err := s.step(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		var reading sync.WaitGroup
		for id, s := range groups {
			reading.Go(func() {
				r := rand.New(rand.NewPCG(uint64(id), uint64(round)))
				for {
					switch err := s.read(r); {
					case errors.Is(err, wal.ErrClosed):
						return
					case err != nil:
						t.Error(err)
						return
					}
					reads.Add(1)
				}
			})
		}
		work.Wait()
		rewritten += l.Space().Rewritten
		must(t, l.Close())
		reading.Wait()
	}
	if rewritten == 0 || reads.Load() == 0 {
		t.Errorf("vacuous: %d bytes rewritten, %d entries read", rewritten, reads.Load())
	}
	t.Logf("%d bytes rewritten, %d entries read", rewritten, reads.Load())
}
