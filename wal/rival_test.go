package wal_test

import (
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftwal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/metadb"

	"holdfast/wal"
)

// tuning is how a rival is opened. Both logs on disk have segments of 64 MiB by default.
type tuning struct {
	groups       int
	segmentBytes int64 // 0: the default
	cacheBytes   int64 // of ours; 0: the default
}

// stores are the logs of some groups, whosever they are.
type stores struct {
	logs  []raft.LogStore
	close func() error
	log   *wal.Log // ours; nil otherwise
}

// rival is a log that benchmarks drive.
type rival struct {
	name string
	open func(dir string, how tuning) (*stores, error)
}

// rivals are ours, one log of raft-wal for each group on the same disk, and memory, which loses everything.
var rivals = []rival{{"holdfast", openOurs}, {"raft-wal", openRaftWAL}, {"memory", openMemory}}

// brief is set when benchmarks run once, to see that they run: everything is small then.
func brief() bool { return flag.Lookup("test.benchtime").Value.String() == "1x" }

func (u tuning) withDefaults() tuning {
	if u.segmentBytes == 0 && brief() {
		u.segmentBytes = 1 << 20
	}
	return u
}

func openOurs(dir string, how tuning) (*stores, error) {
	how = how.withDefaults()
	l, err := wal.Open(wal.Config{Dir: dir, ClusterID: cluster, SegmentBytes: how.segmentBytes, CacheBytes: how.cacheBytes, Logger: quiet,
		StallExit: time.Minute, OnFatal: func(err error) { panic(err) }})
	if err != nil {
		return nil, err
	}
	s := &stores{close: l.Close, log: l}
	for id := range how.groups {
		s.logs = append(s.logs, l.Group(uint32(id)))
	}
	return s, nil
}

func openRaftWAL(dir string, how tuning) (*stores, error) {
	how = how.withDefaults()
	s := new(stores)
	var all []io.Closer
	s.close = func() error {
		for _, c := range all {
			if err := c.Close(); err != nil {
				return err
			}
		}
		return nil
	}
	silent := raftwal.WithLogger(hclog.New(&hclog.LoggerOptions{Output: io.Discard}))
	for id := range how.groups {
		own := filepath.Join(dir, fmt.Sprint(id))
		if err := (wal.OS{}).MkdirAll(own); err != nil {
			return nil, err
		}
		meta := new(metadb.BoltMetaDB)                                                                                   // its own one stays open, and locked, after Close
		w, err := raftwal.Open(own, silent, raftwal.WithSegmentSize(int(how.segmentBytes)), raftwal.WithMetaStore(meta)) // 0 is its default
		if err != nil {
			return nil, err
		}
		all, s.logs = append(all, w, meta), append(s.logs, w)
	}
	return s, nil
}

func openMemory(_ string, how tuning) (*stores, error) {
	s := &stores{close: func() error { return nil }}
	for range how.groups {
		s.logs = append(s.logs, memory{raft.NewInmemStore()})
	}
	return s, nil
}

// memory keeps entries of its own, as raft would hand it, rather than those that the benchmark uses again.
type memory struct{ *raft.InmemStore }

func (m memory) StoreLogs(logs []*raft.Log) error {
	own, all := make([]raft.Log, len(logs)), make([]*raft.Log, len(logs))
	for i, l := range logs {
		own[i] = *l
		all[i] = &own[i]
	}
	return m.InmemStore.StoreLogs(all)
}

// mustOpen opens a rival in a new directory and waits until ours has its next segment prepared, as it has once it has
// run for a while.
func mustOpen(b *testing.B, r rival, how tuning) *stores {
	b.Helper()
	s, err := r.open(b.TempDir(), how)
	must(b, err)
	b.Cleanup(func() { must(b, s.close()) })
	if s.log != nil {
		awaitPrepared(b, s.log)
	}
	return s
}

func awaitPrepared(b *testing.B, l *wal.Log) {
	b.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); l.Space().Prepared == 0; <-tick.C {
		if time.Now().After(end) {
			b.Fatal("no segment is prepared")
		}
	}
}
