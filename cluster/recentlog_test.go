package cluster

import (
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// readLog counts what is read from the log below, and may refuse to store.
type readLog struct {
	GroupLog
	entries map[uint64]raft.Log
	reads   int
	refuse  error
}

func (l *readLog) GetLog(index uint64, entry *raft.Log) error {
	l.reads++
	kept, ok := l.entries[index]
	if !ok {
		return raft.ErrLogNotFound
	}
	*entry = kept
	return nil
}

func (l *readLog) StoreLogs(entries []*raft.Log) error {
	for i, entry := range entries {
		if l.refuse != nil && i > 0 {
			return l.refuse // a part is there
		}
		l.entries[entry.Index] = *entry
	}
	return nil
}

func (l *readLog) DeleteRange(low, high uint64) error {
	for i := low; i <= high; i++ {
		delete(l.entries, i)
	}
	return nil
}

func (l *readLog) Drop() error {
	clear(l.entries)
	return nil
}

func logsOf(term, first, last uint64) (entries []*raft.Log) {
	for i := first; i <= last; i++ {
		entries = append(entries, &raft.Log{Index: i, Term: term, Data: []byte{byte(term), byte(i)}, AppendedAt: time.Unix(int64(i), 0)})
	}
	return entries
}

// The newest entries are handed out without a look at the log, and only as long as it has them.
func TestRecentEntriesAreThoseOfTheLog(t *testing.T) {
	refused := errors.New("no room")
	for _, c := range []struct {
		name string
		then func(*recentLog, *readLog) error
		// term is that of entries 13 to 20 afterwards, 0 when they are gone; read says that they come from the log.
		term uint64
		read bool
		fail error
	}{
		{"stored", func(*recentLog, *readLog) error { return nil }, 1, false, nil},
		{"cut in front", func(l *recentLog, _ *readLog) error { return l.DeleteRange(1, 5) }, 1, true, nil},
		{"cut behind", func(l *recentLog, _ *readLog) error { return l.DeleteRange(13, 20) }, 0, true, nil},
		{"dropped", func(l *recentLog, _ *readLog) error { return l.Drop() }, 0, true, nil},
		{"replaced", func(l *recentLog, _ *readLog) error {
			return errors.Join(l.DeleteRange(13, 20), l.StoreLogs(logsOf(2, 13, 20)))
		}, 2, false, nil},
		{"one by one", func(l *recentLog, _ *readLog) error {
			err := l.DeleteRange(13, 20)
			for _, entry := range logsOf(2, 13, 20) {
				err = errors.Join(err, l.StoreLog(entry))
			}
			return err
		}, 2, false, nil},
		{"followed", func(l *recentLog, _ *readLog) error { return l.StoreLogs(logsOf(3, 21, 28)) }, 1, true, nil},
		{"followed by what failed", func(l *recentLog, below *readLog) error {
			below.refuse = refused
			return l.StoreLogs(logsOf(3, 21, 28))
		}, 1, false, refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			below := &readLog{entries: make(map[uint64]raft.Log)}
			l := &recentLog{GroupLog: below}
			if err := l.StoreLogs(logsOf(1, 1, 20)); err != nil {
				t.Fatal(err)
			}
			if err := c.then(l, below); !errors.Is(err, c.fail) {
				t.Fatal(err)
			}
			for i := uint64(13); i <= 20; i++ {
				below.reads = 0
				var entry raft.Log
				err := l.GetLog(i, &entry)
				if c.term == 0 {
					if !errors.Is(err, raft.ErrLogNotFound) {
						t.Errorf("entry %d: %v, %v", i, entry, err)
					}
					continue
				}
				if err != nil || entry.Index != i || entry.Term != c.term || entry.Data[0] != byte(c.term) || entry.Data[1] != byte(i) {
					t.Errorf("entry %d: %v, %v", i, entry, err)
				}
				if (below.reads > 0) != c.read {
					t.Errorf("entry %d: %d reads", i, below.reads)
				}
			}
		})
	}
}
