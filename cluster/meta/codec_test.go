package meta

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"hash/crc32"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"holdfast/cluster/placement"
	"holdfast/stock"
)

var update = flag.Bool("update", false, "rewrite the golden files of the present format version")

const startMS stock.Time = 1_700_000_000_000

func keyed(key string) Keyed {
	return Keyed{Caller: "ops", Key: key, Deadline: startMS + 60_000}
}

// everyCommand holds every command, with each field filled.
func everyCommand() []Command {
	id := [16]byte{0xfe, 0xed, 15: 1}
	at := Addresses{Peer: "10.0.0.1:8082", HTTP: "10.0.0.1:8080", Admin: "[fe80::1]:8081"}
	binary := Binary{Version: "0.1.0", Level: 1}
	ttl, open, nodes := int64(86_400_000), int64(1<<40), int64(9)
	shards := []Shard{
		{ID: 0, Replicas: []Replica{{"n1", 1, Voter}, {"n2", 2, Learner}}},
		{ID: 1, Replicas: []Replica{{"n1", 1, Voter}, {"n2", 1 << 40, Voter}}},
	}
	return []Command{
		&Create{
			Keyed: keyed("k-create"), ClusterID: id, Epoch: 1, Level: 1, Node: "n1", Incarnation: 1<<64 - 1, Addresses: at, Binary: binary,
			Shards: 4, Partitions: placement.Partitions(4), Settings: DefaultSettings(),
		},
		&AddNode{Keyed: keyed("k-add"), ClusterID: id, Node: "n2", Incarnation: 300, Addresses: Addresses{Peer: "b:1"}, Binary: binary},
		&UpdateNode{Keyed: keyed("k-update"), Node: "n2", Incarnation: 300, Addresses: at},
		&Adopt{Keyed: keyed("k-adopt"), Node: "n2", Incarnation: 300, Binary: Binary{Level: 65535}},
		&Begin{
			Keyed: keyed("k-begin"), What: RemovingNode, Node: "n3", Base: 70_000, Shards: shards,
			Steps: []Step{{Transfer, 1, "n2", 1 << 40}, {Remove, 1, "n3", 129}, {Kind: Forget, Node: "n3"}},
		},
		&Begin{Keyed: keyed("k-rebuild"), What: Rebuilding, Node: "n3", Shard: 512, Base: 1},
		&Report{Keyed: keyed("k-report"), Change: 7, Step: Step{Promote, 3, "n2", 5}, State: StepFailed, Reason: "no answer in 5 s"},
		&Finish{Keyed: keyed("k-finish"), Change: 7},
		&Abort{Keyed: keyed("k-abort"), Change: 8, Reason: "the node burnt down", Shards: shards},
		&SetSettings{Keyed: keyed("k-set"), Patch: SettingsPatch{RetentionMS: &ttl, MaxOpenOrders: &open, MaxNodes: &nodes}},
		&SetSettings{Keyed: keyed("k-none")},
		&RaiseLevel{Keyed: keyed("k-level"), Level: 1},
		&RaiseEpoch{Keyed: keyed("k-epoch"), Epoch: 65535},
	}
}

// fataler is what *testing.T, *testing.F and *rapid.T have in common.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func encoded(t fataler, clock stock.Time, c Command) []byte {
	t.Helper()
	data, err := EncodeEntry(clock, c)
	if err != nil {
		t.Fatalf("encode %+v: %v", c, err)
	}
	return data
}

// golden compares with a file of hexadecimal lines, one value a line.
func golden(t *testing.T, name string, values ...[]byte) [][]byte {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		var out bytes.Buffer
		for _, v := range values {
			out.WriteString(hex.EncodeToString(v) + "\n")
		}
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var kept [][]byte
	for line := range strings.Lines(string(text)) {
		b, err := hex.DecodeString(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, b)
	}
	if len(kept) != len(values) {
		t.Fatalf("%s has %d values, want %d", name, len(kept), len(values))
	}
	for i := range values {
		if !bytes.Equal(values[i], kept[i]) {
			t.Errorf("%s line %d: now %x", name, i+1, values[i])
		}
	}
	return kept
}

// Every version of the format that was ever written stays readable: one golden file each.
func TestGoldenEntries(t *testing.T) {
	var values [][]byte
	seen := map[Kind]bool{}
	for _, c := range everyCommand() {
		values = append(values, encoded(t, startMS, c))
		seen[c.Kind()] = true
	}
	for i, data := range golden(t, "entries_v1.hex", values...) {
		clock, c, err := DecodeEntry(data)
		if err != nil || clock != startMS || !reflect.DeepEqual(c, everyCommand()[i]) {
			t.Errorf("line %d: decoded %+v at %d, %v", i+1, c, clock, err)
		}
	}
	for k := range 256 {
		if known := newCommand(Kind(k)) != nil; known != seen[Kind(k)] {
			t.Errorf("kind %d is known or in the golden file, not both", k)
		}
	}
}

func drawName(t *rapid.T, what string, most int) string {
	return rapid.StringN(0, -1, most).Draw(t, what)
}

func drawShards(t *rapid.T) []Shard {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Shard {
		return Shard{ID: rapid.Uint32().Draw(t, "id"), Replicas: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Replica {
			return Replica{drawName(t, "node", MaxNodeIDBytes), rapid.Uint64().Draw(t, "number"), Role(rapid.Uint8().Draw(t, "role"))}
		}), 0, 5).Draw(t, "replicas")}
	}), 0, 5).Draw(t, "shards")
}

func drawStep(t *rapid.T) Step {
	return Step{
		StepKind(rapid.Uint8Range(1, 7).Draw(t, "kind")), rapid.Uint32().Draw(t, "shard"), drawName(t, "node", MaxNodeIDBytes),
		rapid.Uint64().Draw(t, "number"),
	}
}

// drawCommand draws any command, whether it makes sense or not.
func drawCommand(t *rapid.T) Command {
	c := newCommand(Kind(rapid.Uint8Range(1, uint8(KindRaiseEpoch)).Draw(t, "kind")))
	*c.Head() = Keyed{
		drawName(t, "caller", stock.MaxNameBytes), drawName(t, "key", stock.MaxKeyBytes), stock.Time(rapid.Int64().Draw(t, "deadline")),
	}
	at := Addresses{drawName(t, "peer", MaxAddressBytes), drawName(t, "http", MaxAddressBytes), drawName(t, "admin", MaxAddressBytes)}
	of := Binary{drawName(t, "version", MaxVersionBytes), rapid.Uint16().Draw(t, "level")}
	node, born := drawName(t, "node", MaxNodeIDBytes), rapid.Uint64().Draw(t, "incarnation")
	switch c := c.(type) {
	case *Create:
		c.ClusterID, c.Node, c.Incarnation, c.Addresses, c.Binary = [16]byte{byte(born)}, node, born, at, of
		c.Shards, c.Settings = uint32(born), Settings{int64(born), -1, 1 << 40}
		c.Partitions = rapid.SliceOfN(rapid.Uint32(), 0, 40).Draw(t, "partitions")
	case *AddNode:
		c.ClusterID, c.Node, c.Incarnation, c.Addresses, c.Binary = [16]byte{15: byte(born)}, node, born, at, of
	case *UpdateNode:
		c.Node, c.Incarnation, c.Addresses = node, born, at
	case *Adopt:
		c.Node, c.Incarnation, c.Binary = node, born, of
	case *Begin:
		c.What, c.Node, c.Shard, c.Base, c.Shards = ChangeKind(born), node, uint32(born), born, drawShards(t)
		c.Steps = rapid.SliceOfN(rapid.Custom(drawStep), 0, 5).Draw(t, "steps")
	case *Report:
		c.Change, c.Step, c.State, c.Reason = ChangeID(born), drawStep(t), StepState(born), drawName(t, "reason", stock.MaxReasonBytes)
	case *Finish:
		c.Change = ChangeID(born)
	case *Abort:
		c.Change, c.Reason, c.Shards = ChangeID(born), drawName(t, "reason", stock.MaxReasonBytes), drawShards(t)
	case *SetSettings:
		number := rapid.Ptr(rapid.Int64(), true)
		c.Patch = SettingsPatch{number.Draw(t, "retention"), number.Draw(t, "open"), number.Draw(t, "nodes")}
	case *RaiseLevel:
		c.Level = of.Level
	case *RaiseEpoch:
		c.Epoch = of.Level
	}
	return c
}

func TestEntriesRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		want := drawCommand(rt)
		clock := stock.Time(rapid.Int64().Draw(rt, "clock"))
		data, err := EncodeEntry(clock, want)
		if err != nil {
			rt.Fatal(err)
		}
		in := bytes.Clone(data)
		at, got, err := DecodeEntry(in)
		if err != nil {
			rt.Fatal(err)
		}
		clear(in) // nothing of the result may alias the input
		if again, err := EncodeEntry(at, got); err != nil || !bytes.Equal(again, data) {
			rt.Fatalf("got %+v\nwant %+v, %v", got, want, err)
		}
	})
}

func TestDecodeRefusesWhatIsNotWritten(t *testing.T) {
	good := encoded(t, startMS, everyCommand()[7])
	payload := good[frameHeadBytes:]
	for _, tc := range []struct {
		name string
		data []byte
		want error
	}{
		{"nothing", nil, ErrMalformed},
		{"another version", append([]byte{2}, good[1:]...), ErrUnknownCommand},
		{"a head alone", good[:8], ErrMalformed},
		{"cut short", good[:len(good)-1], ErrMalformed},
		{"a byte more", append(bytes.Clone(good), 0), ErrMalformed},
		{"a flipped bit", append(bytes.Clone(good[:len(good)-1]), good[len(good)-1]^1), ErrMalformed},
		{"an unknown kind", frame(1, append([]byte("\x92\x92\x63\x00"), payload[12:]...)), ErrUnknownCommand},
		{"a map", frame(1, []byte("\x81\x01\x02")), ErrMalformed},
		{"three elements", frame(1, []byte("\x93\x92\x08\x00\xc0\xc0")), ErrMalformed},
		{"a command that is nil", frame(1, []byte("\x92\x92\x08\x00\xc0")), ErrMalformed},
		{"a short array", frame(1, []byte("\x92\x92\x08\x00\x91\xa1k")), ErrMalformed},
		{"two values", frame(1, append(bytes.Clone(payload), 0xc0)), ErrMalformed},
		{"a long form", frame(1, bytes.Replace(payload, []byte("\x92\x07"), []byte("\x92\xcc\x07"), 1)), ErrMalformed},
		{"a huge array", frame(1, []byte("\x92\x92\x05\x00\xdd\x7f\xff\xff\xff")), ErrMalformed},
		{"an array longer than the input", frame(1, []byte("\x92\x92\x05\x00\xdc\xff\xff")), ErrMalformed},
		{"deep nesting", frame(1, bytes.Repeat([]byte{0x91}, 5000)), ErrMalformed},
		{"larger than an entry", make([]byte, MaxEntryBytes+1), ErrMalformed},
	} {
		if _, _, err := DecodeEntry(tc.data); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
}

func TestEncodeRefusesWhatIsBeyondItsBound(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range []Command{
		&Finish{Keyed: Keyed{Key: long}},
		&AddNode{Node: long},
		&UpdateNode{Addresses: Addresses{Admin: long}},
		&Adopt{Binary: Binary{Version: long}},
		&Begin{Steps: []Step{{Kind: 99}}},
		&Begin{Shards: []Shard{{Replicas: make([]Replica, MaxMaxNodes+1)}}},
		&Begin{Shards: make([]Shard, placement.MaxShards+2)},
		&Abort{Shards: []Shard{{Replicas: []Replica{{Node: long}}}}},
		&Report{Reason: long, Step: Step{Kind: Remove}},
		&Create{Partitions: make([]uint32, stock.Partitions+1)},
	} {
		if _, err := EncodeEntry(0, c); !errors.Is(err, ErrMalformed) {
			t.Errorf("%T: %v", c, err)
		}
	}
	steps := make([]Step, MaxSteps)
	for i := range steps {
		steps[i] = Step{Kind: Forget, Node: long[:MaxNodeIDBytes]}
	}
	if _, err := EncodeEntry(0, &Begin{Steps: steps}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("an entry beyond the bound: %v", err)
	}
}

// FuzzDecodeEntry decodes arbitrary bytes, as they are and as a payload whose frame is right: no panic, no allocation out of proportion, and
// what is accepted encodes to the same bytes.
func FuzzDecodeEntry(f *testing.F) {
	for _, c := range everyCommand() {
		data := encoded(f, startMS, c)
		f.Add(data)
		f.Add(data[frameHeadBytes:])
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, data := range [][]byte{in, frame(entryVersion, in)} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			clock, c, err := DecodeEntry(data)
			runtime.ReadMemStats(&after)
			if spent, limit := after.TotalAlloc-before.TotalAlloc, uint64(1<<20+200*len(data)); spent > limit {
				t.Fatalf("%d bytes allocated for %d", spent, len(data))
			}
			switch {
			case err == nil:
				if again := encoded(t, clock, c); !bytes.Equal(again, data) {
					t.Fatalf("%x encodes to %x", data, again)
				}
			case !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnknownCommand):
				t.Fatalf("an error of neither kind: %v", err)
			}
		}
	})
}

// reframed returns a frame whose checksum and length are right.
func reframed(b []byte) []byte {
	if len(b) < frameHeadBytes {
		return b
	}
	b = bytes.Clone(b)
	binary.BigEndian.PutUint32(b[1:], uint32(len(b)-frameHeadBytes))
	binary.BigEndian.PutUint32(b[5:], crc32.Checksum(b[frameHeadBytes:], castagnoli))
	return b
}
