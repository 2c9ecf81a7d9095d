package backup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/cluster"
	"holdfast/stock"
)

// memLog is a group's log in memory.
type memLog struct{ *raft.InmemStore }

var _ cluster.GroupLog = memLog{}

func (memLog) IsMonotonic() bool { return true }

func (l memLog) Drop() error {
	first, _ := l.FirstIndex()
	last, _ := l.LastIndex()
	return l.DeleteRange(first, last)
}

func (memLog) BytesSince(uint64) int64 { return 0 }

// keeper is a shard's machine: a book that applies what comes.
type keeper struct {
	mu   sync.Mutex
	book *stock.Book
	// first is the first command that was applied behind the restored state.
	first stock.Command
	leads bool
}

var _ cluster.Machine = (*keeper)(nil)

func (k *keeper) Apply(entries []cluster.Entry) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range entries {
		if e.Data == nil {
			continue
		}
		p, err := stock.DecodeProposal(e.Data)
		if err != nil {
			return err
		}
		at := k.book.Begin(p.Header, e.Index)
		for _, c := range p.Commands {
			if k.first == nil {
				k.first = c
			}
			k.book.Apply(at, c)
		}
	}
	return nil
}

func (k *keeper) Snapshot() (cluster.Cut, error) { return nil, errors.New("none") }

func (k *keeper) Restore(r io.Reader) (err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.book, err = stock.ReadSnapshot(r)
	return err
}

func (k *keeper) Lead(uint64)   { k.mu.Lock(); k.leads = true; k.mu.Unlock() }
func (k *keeper) Follow(uint64) {}
func (k *keeper) Close()        {}

func (k *keeper) ready() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.leads && k.first != nil
}

func target(dir string) (*Target, map[uint32]memLog) {
	logs := make(map[uint32]memLog)
	return &Target{NodeID: "n9", ClusterID: [16]byte{9}, Dir: dir, Log: func(shard uint32) cluster.GroupLog {
		if _, ok := logs[shard]; !ok {
			logs[shard] = memLog{raft.NewInmemStore()}
		}
		return logs[shard]
	}}, logs
}

// A restored shard goes on where the backup ends: the same orders and keys, behind its index, and with the next epoch as its first command, so that the
// order which takes the place of a lost one has another id.
func TestARestoredShardGoesOn(t *testing.T) {
	w := newWorld(t, "a")
	b := w.archive()
	c, err := Verify(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	to, logs := target(t.TempDir())
	if err := Restore(bytes.NewReader(b), c, to); err != nil {
		t.Fatal(err)
	}
	if epoch, err := c.NextEpoch(); epoch != 4 || err != nil {
		t.Errorf("epoch %d, %v", epoch, err)
	}
	if got := fmt.Sprint(c.Lineage()); got != fmt.Sprintf("[%x %032x]", oldID, 9) {
		t.Errorf("lineage %s", got)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	keepers := make(map[uint32]*keeper)
	opened, err := cluster.Open(cluster.Config{
		NodeID: to.NodeID, ClusterID: to.ClusterID, Dir: to.Dir, Shards: testShards, Replicas: map[uint32]uint64{1: 1, 2: 1}, Listener: listener,
		Groups: func(id uint32) cluster.GroupLog { return logs[id] },
		NewMachine: func(s *cluster.Shard) (cluster.Machine, error) {
			keepers[s.ID()] = &keeper{book: stock.NewBook()}
			return keepers[s.ID()], nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for id := uint32(1); id <= testShards; id++ {
		waitFor(t, fmt.Sprintf("shard %d serves", id), keepers[id].ready)
	}
	if err := opened.Close(); err != nil {
		t.Error(err)
	}
	for id := uint32(1); id <= testShards; id++ {
		goesOn(t, id, keepers[id])
	}
}

func goesOn(t *testing.T, id uint32, k *keeper) {
	first, raised := k.first.(*stock.RaiseEpoch)
	if !raised || first.Epoch != 4 || k.book.Index() != 71+uint64(id) || k.book.Now() != 6_000 {
		t.Errorf("shard %d begins with %+v at index %d, log time %d", id, k.first, k.book.Index(), k.book.Now())
	}
	lost := bookOf(t, id, 3)
	of := run(lost, 90, 7_000, place(skuOf(id, 1), "lost", 1))
	out := run(k.book, 90, 7_000, place(skuOf(id, 1), "k1", 3), place(skuOf(id, 1), "new", 1), &stock.Cancel{
		Meta: stock.Meta{Key: "x"}, Order: of[0].Order.ID,
	})
	switch {
	case !out[0].Replayed || out[0].Order.ID.Epoch != 3:
		t.Errorf("shard %d: the key of before: %+v", id, out[0])
	case out[1].Order.ID.Epoch != 4 || out[1].Order.ID.Counter != of[0].Order.ID.Counter || out[1].Order.ID == of[0].Order.ID:
		t.Errorf("shard %d: the order in the place of the lost one %+v is %+v", id, of[0].Order.ID, out[1].Order.ID)
	case out[2].Code != stock.OrderNotFound:
		t.Errorf("shard %d: the lost order: %+v", id, out[2])
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick, deadline := time.NewTicker(5*time.Millisecond), time.After(30*time.Second)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

// Between the two readings the file may have been replaced, cut or changed.
func TestARestoreWantsWhatWasVerified(t *testing.T) {
	w := newWorld(t, "a")
	b := w.archive()
	c, err := Verify(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	same := map[uint32][]byte{0: w.states[0], 1: w.states[1], 2: snapshotOf(t, bookOf(t, 2, 2))}
	older := c.Manifest
	older.Node = "b"
	flipped := bytes.Clone(b)
	flipped[len(flipped)/2] ^= 1
	for name, row := range map[string]struct {
		data []byte
		want error
	}{
		"another backup":  {forge(t, older, same, 80, 7), ErrChanged},
		"another state":   {forge(t, c.Manifest, same, 80, 7), ErrChanged},
		"another index":   {forge(t, c.Manifest, w.states, 99, 7), ErrChanged},
		"half of it":      {b[:len(b)/2], ErrDamaged},
		"all but its end": {b[:len(b)-1], ErrDamaged},
		"a bit of it":     {flipped, nil},
	} {
		to, _ := target(t.TempDir())
		if err := Restore(bytes.NewReader(row.data), c, to); err == nil || row.want != nil && !errors.Is(err, row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestARestoreIsRefused(t *testing.T) {
	w := newWorld(t, "a")
	b := w.archive()
	c, err := Verify(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	to, _ := target(dir)
	if err := os.MkdirAll(dir+"/shard-2", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/shard-2/1.snap", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Restore(bytes.NewReader(b), c, to); !errors.Is(err, cluster.ErrReplicaOther) {
		t.Errorf("over another replica: %v", err)
	}
	c.Shards[0].Epoch = stock.MaxEpoch
	if err := Restore(bytes.NewReader(b), c, to); !errors.Is(err, ErrEpochs) {
		t.Errorf("in the last epoch: %v", err)
	}
}
