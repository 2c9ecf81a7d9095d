package stock

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files of the present format version")

// everyCommand is a proposal with every command, which fills each field and every form a field can have.
func everyCommand() Proposal {
	meta := func(key string) Meta { return Meta{Caller: "shop", Key: key, Deadline: 1_700_000_005_000} }
	id := OrderID{Epoch: 2, Partition: 1023, SKU: 70_000, Counter: 1 << 40}
	ttl, limit, opens, clears, hot := int64(60_000), int64(-1), Time(1_700_000_000_000), Time(0), true
	settings := Settings{RetentionMS: 24 * 3600 * 1000, MaxOpenOrders: 10_000_000, ExpiryBatch: 1024, EvictBatch: 16384}
	retried := meta("k-retried")
	retried.Retry = true
	return Proposal{
		Header: Header{Term: 7, Clock: 1_700_000_000_123, Incarnation: 0xfeedfacecafebeef, Sequence: 300},
		Commands: []Command{
			&Init{Epoch: 2, Partitions: []Partition{0, 127, 128, 255, 256, 1023}, Settings: settings},
			&Open{Term: 7},
			&Create{Meta: meta("k-create"), Spec: Spec{
				SKU: "sneaker-42", Stock: MaxStock, Mode: ModeOnPayment, HoldTTLMS: DefaultHoldTTLMS, LimitPerUser: 2, MaxQty: 1,
				OpensAt: opens, ClosesAt: opens + 3_600_000, Hot: true,
			}},
			&Update{Meta: meta("k-update"), SKU: "sneaker-42", Patch: Patch{
				HoldTTLMS: &ttl, LimitPerUser: &limit, OpensAt: &opens, ClosesAt: &clears, Hot: &hot,
			}},
			&Update{Meta: meta("k-empty"), SKU: "sneaker-42"},
			&Adjust{Meta: meta("k-adjust"), SKU: "sneaker-42", Delta: -1000, Reason: "miscounted"},
			&Freeze{Meta: meta("k-freeze"), SKU: "sneaker-42", Frozen: true},
			&SetSettings{Meta: meta("k-set"), Settings: Settings{RetentionMS: 1, MaxOpenOrders: 128, ExpiryBatch: 65_536, EvictBatch: 1 << 33}},
			&FlushMark{Index: 1<<64 - 1},
			&FlushSpan{Index: 300, First: 1, Last: 1<<32 - 1},
			&Place{Meta: meta("k-place"), SKU: "sneaker-42", User: "zoë", Qty: 1, ClientRef: "basket-9"},
			&Place{Meta: retried, SKU: strings.Repeat("s", MaxNameBytes), User: "u", Qty: 1 << 40},
			&Place{Meta: Meta{Key: "anonymous"}, SKU: "sneaker-42", User: "u", Qty: -33},
			&Confirm{Meta: meta("k-confirm"), Order: id, PaymentID: "pay-1"},
			&Cancel{Meta: meta("k-cancel"), Order: OrderID{Counter: 1}, Reason: strings.Repeat("r", MaxReasonBytes)},
			&Return{Meta: meta("k-return"), Order: id, Qty: 2, Restock: true},
			&Fence{Meta: meta("k-fence"), SKU: "sneaker-42"},
			&Expire{SKU: "sneaker-42"},
		},
	}
}

// laterCommands is a proposal with the commands that came with LevelHashMarks.
func laterCommands() Proposal {
	return Proposal{
		Header: Header{Term: 8, Clock: 1_700_000_000_123, Incarnation: 0xfeedfacecafebeef, Sequence: 301},
		Commands: []Command{
			&RaiseLevel{Level: LevelHashMarks},
			&HashMark{Index: 1<<64 - 1, Reports: []HashReport{{"n1#1", 1<<64 - 1}, {"n1#300", 0}, {strings.Repeat("n", MaxReplicaBytes), 128}}},
			&HashMark{},
		},
	}
}

// restoredCommands is the proposal with which the log of a restored shard begins.
func restoredCommands() Proposal {
	return Proposal{
		Header:   Header{Term: 9, Clock: 1_700_000_000_124},
		Commands: []Command{&RaiseEpoch{Epoch: 2}, &RaiseEpoch{Epoch: MaxEpoch}},
	}
}

// Every version of the format that was ever written stays readable: one golden file each, and one for the commands of each later level.
func TestGoldenProposals(t *testing.T) {
	seen := map[Kind]bool{}
	golden(t, "codec_v1.hex", everyCommand(), seen)
	golden(t, "codec_v1_level2.hex", laterCommands(), seen)
	golden(t, "codec_v1_restore.hex", restoredCommands(), seen)
	for k := range 256 {
		isAdmin := newAdmin(Kind(k)) != nil
		if isOrder := k >= int(KindPlace) && k <= int(KindExpire); seen[Kind(k)] != (isAdmin || isOrder) {
			t.Errorf("kind %d is known or in a golden file, not both", k)
		}
	}
}

// golden holds a proposal against a golden file, and notes the kinds of its commands.
func golden(t *testing.T, name string, want Proposal, seen map[Kind]bool) {
	t.Helper()
	path := filepath.Join("testdata", name)
	now := sealed(t, want)
	if *update {
		if err := os.WriteFile(path, hexLines(now), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	golden, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	mustBytes(t, path, now, golden)
	p, err := DecodeProposal(golden)
	if err != nil || !reflect.DeepEqual(p, want) {
		t.Fatalf("decoded %+v, %v", p, err)
	}
	for _, c := range p.Commands {
		seen[c.Kind()] = true
	}
}

func hexLines(b []byte) []byte {
	var out bytes.Buffer
	for len(b) > 0 {
		n := min(32, len(b))
		out.WriteString(hex.EncodeToString(b[:n]) + "\n")
		b = b[n:]
	}
	return out.Bytes()
}
