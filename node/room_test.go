package node

import "testing"

// A node that is ready has the log's next segment: no disk that is full then ends it in the middle of its first orders.
func TestReadyMeansThatTheNextSegmentIsThere(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.WALSegmentBytes = 128 << 20
	n := open(t, cfg)
	if space := n.log.Space(); space.Prepared == 0 {
		t.Errorf("%+v", space)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	// Where there may be no second segment nobody waits for one.
	n.cfg.WALHardBytes = cfg.WALSegmentBytes
	if !n.hasSpare() {
		t.Error("it waits for a segment that there must not be")
	}
}
