package stock

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// populate sets each field below v to something that is not zero.
func populate(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			populate(v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		populate(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			populate(v.Index(i))
		}
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(5)
	default:
		v.SetUint(5)
	}
}

// flips changes each field below v, one at a time, and calls changed with its name.
func flips(v reflect.Value, name string, changed func(name string)) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			// What no snapshot holds is no part of the state.
			if f := v.Type().Field(i); f.Tag.Get("msgpack") != "-" {
				flips(v.Field(i), name+"."+f.Name, changed)
			}
		}
	case reflect.Pointer:
		flips(v.Elem(), name, changed)
		was := v.Elem()
		v.SetZero()
		changed(name + " missing")
		v.Set(was.Addr())
	case reflect.Slice:
		for i := range v.Len() {
			flips(reflect.Indirect(v.Index(i)), fmt.Sprint(name, i), changed)
		}
		was := v.Slice(0, v.Len())
		v.Set(was.Slice(0, 1))
		changed(name + " shorter")
		v.Set(was)
	case reflect.String:
		v.SetString("texu")
		changed(name)
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(false)
		changed(name)
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(4)
		changed(name)
		v.SetInt(5)
	default:
		v.SetUint(4)
		changed(name)
		v.SetUint(5)
	}
}

// Whatever field of a state is another one, the hash is: fields are found by reflection, so that a new one is not forgotten.
func TestHashCoversEveryField(t *testing.T) {
	ofLedger := func(c *LedgerCut) func() uint64 { return c.hash }
	cut, head, told, adjust := &LedgerCut{}, &Cut{}, &remembered{}, &adjusted{}
	for name, c := range map[string]struct {
		of   any
		hash func() uint64
	}{
		"SKU":        {&cut.head, ofLedger(cut)},
		"shard":      {&head.head, head.own},
		"remembered": {told, told.hash},
		"adjusted":   {adjust, adjust.hash},
	} {
		v := reflect.ValueOf(c.of).Elem()
		populate(v)
		want, n := c.hash(), 0
		flips(v, name, func(field string) {
			n++
			switch field {
			case "SKU.Tables": // made from the tables
				return
			}
			if c.hash() == want {
				t.Errorf("%s has no part in the hash", field)
			}
		})
		if c.hash() != want || n < 10 {
			t.Errorf("%s: vacuous, %d fields", name, n)
		}
	}
}

// Rows have fields that reflection may read but not set.
func TestHashCoversEveryRow(t *testing.T) {
	order := func(change func(*row)) uint64 {
		r := row{key: []byte("k"), clientRef: []byte("c"), paymentID: []byte("p"), qty: 9, returned: 1, state: StateHeld}
		change(&r)
		return r.hash(1)
	}
	user := func(change func(*person)) uint64 {
		p := person{name: []byte("u"), used: 4}
		change(&p)
		return p.hash(1)
	}
	back := func(change func(*returned)) uint64 {
		r := returned{key: "k", qty: 3, counter: 2, state: StateReturned}
		change(&r)
		return r.hash(1)
	}
	rows := []func(*row){
		func(*row) {}, func(r *row) { r.key = []byte("l") }, func(r *row) { r.clientRef = []byte("d") }, func(r *row) { r.clientRef = nil },
		func(r *row) { r.paymentID = []byte("q") }, func(r *row) { r.qty++ }, func(r *row) { r.returned++ }, func(r *row) { r.created++ },
		func(r *row) { r.confirmed++ }, func(r *row) { r.ended++ }, func(r *row) { r.expires++ }, func(r *row) { r.updated++ },
		func(r *row) { r.firstVersion++ }, func(r *row) { r.version++ }, func(r *row) { r.user++ }, func(r *row) { r.caller++ },
		func(r *row) { r.epoch++ }, func(r *row) { r.state = StateExpired },
	}
	users := []func(*person){func(*person) {}, func(p *person) { p.name = []byte("v") }, func(p *person) { p.used++ }}
	returns := []func(*returned){
		func(*returned) {}, func(r *returned) { r.key = "l" }, func(r *returned) { r.caller++ }, func(r *returned) { r.restock = true },
		func(r *returned) { r.paid = true }, func(r *returned) { r.state = StateConfirmed }, func(r *returned) { r.qty++ },
		func(r *returned) { r.counter++ }, func(r *returned) { r.previous++ }, func(r *returned) { r.total++ }, func(r *returned) { r.at++ },
		func(r *returned) { r.version++ },
	}
	distinct(t, "row", rows, order, reflect.TypeFor[row]().NumField()+2)
	distinct(t, "user", users, user, reflect.TypeFor[person]().NumField()+1)
	distinct(t, "return", returns, back, reflect.TypeFor[returned]().NumField()+1)
}

// distinct fails unless every change makes another hash and there is one for each field.
func distinct[T any](t *testing.T, what string, changes []func(*T), hash func(func(*T)) uint64, fields int) {
	t.Helper()
	if len(changes) != fields {
		t.Errorf("%s: %d changes for %d", what, len(changes), fields)
	}
	seen := map[uint64]int{}
	for i, change := range changes {
		if k, twice := seen[hash(change)]; twice {
			t.Errorf("%s: change %d hashes like %d", what, i, k)
		}
		seen[hash(change)] = i
	}
}

// A chain is the same whatever was in front of the list before, and another one when two elements change places.
func TestChain(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	var c chain
	var list []uint64
	again := func(list []uint64) (c chain) {
		for _, h := range list {
			c.push(h)
		}
		return c
	}
	for i := range 2000 {
		if len(list) > 0 && dice.IntN(3) == 0 {
			c.shift(list[0], len(list))
			list = list[1:]
		} else {
			h := dice.Uint64()
			c.push(h)
			list = append(list, h)
		}
		if c != again(list) {
			t.Fatalf("step %d: another hash than from scratch", i)
		}
	}
	other := slices.Clone(list)
	other[3], other[9] = other[9], other[3]
	if again(other) == c {
		t.Error("order does not count")
	}
}

// A bit that changes behind the ledger's back is found by the next snapshot, wherever it is; and what is found names the SKU and tells who asked.
func TestSnapshotNoticesDamage(t *testing.T) {
	for name, damage := range map[string]func(*Book){
		"an order":               func(b *Book) { b.slots[1].ledger.damage(291, func(r *row) { r.qty ^= 8 }) },
		"a counter":              func(b *Book) { b.slots[0].ledger.available ^= 1 },
		"a user's units":         func(b *Book) { b.slots[0].ledger.users.mut(0).used ^= 1 << 40 },
		"a return":               func(b *Book) { b.slots[1].ledger.returns.mut(0).total ^= 1 },
		"the hash itself":        func(b *Book) { b.slots[0].ledger.hash ^= 1 },
		"a limit":                func(b *Book) { b.slots[0].ledger.spec.LimitPerUser ^= 1 },
		"a remembered refusal":   func(b *Book) { b.slots[0].ledger.memory.list[0].Until ^= 1 },
		"an adjustment":          func(b *Book) { b.slots[0].ledger.adjusts[0].Delta ^= 1 },
		"a caller":               func(b *Book) { b.slots[0].ledger.callers[0] = "shoq" },
		"a SKU's settings":       func(b *Book) { b.slots[2].ledger.settings.RetentionMS ^= 1 },
		"the shard's memory":     func(b *Book) { b.memory.list[0].Outcome.Code ^= 1 },
		"the sum over all SKUs":  func(b *Book) { b.sum ^= 1 },
		"what a SKU adds to it":  func(b *Book) { b.slots[2].hashed ^= 1 },
		"a SKU's last change":    func(b *Book) { b.slots[2].ledger.version ^= 1 },
		"whether it is frozen":   func(b *Book) { b.slots[2].ledger.frozen = false },
		"the creation of an SKU": func(b *Book) { b.slots[2].ledger.keepCreation(); b.slots[2].ledger.creation.Stock ^= 4 },
	} {
		t.Run(name, func(t *testing.T) {
			b := everyState(t, 300)
			apply := func(c Command) { b.Apply(b.Begin(Header{}, b.Index()+1), c) }
			apply(&Adjust{Meta: Meta{Key: "late"}, SKU: "tea", Delta: 9})
			apply(&Place{Meta: Meta{Key: "late"}, SKU: "cup", User: "ida", Qty: 2})
			apply(&Return{Meta: Meta{Key: "late"}, Order: OrderID{Epoch: 3, Partition: PartitionOf("cup"), SKU: 2, Counter: 301}, Qty: 1})
			cut := b.Cut()
			if cut.Hash() != b.Hash() {
				t.Fatal("the hash from scratch is another one")
			}
			damage(b)
			var told error
			cut = b.Cut()
			cut.OnCorrupt = func(err error) { told = err }
			if _, err := cut.WriteTo(&bytes.Buffer{}); !errors.Is(err, ErrCorrupt) || told != err {
				t.Errorf("written: %v, told %v", err, told)
			}
		})
	}
}

// damage changes a row behind the ledger's back.
func (l *Ledger) damage(counter uint64, change func(*row)) {
	r := l.find(counter)
	change(&r)
	l.rows.store(counter-1, &r)
}

// A damaged ledger that goes on working makes another hash than its undamaged twin, from its next command on.
func TestDamageShowsInTheHash(t *testing.T) {
	for name, damage := range map[string]func(*Ledger){
		"a counter": func(l *Ledger) { l.available ^= 2; l.held ^= 2 },
		"an order":  func(l *Ledger) { l.damage(1, func(r *row) { r.qty ^= 4 }) },
		"a user":    func(l *Ledger) { l.users.mut(0).used ^= 16 },
	} {
		t.Run(name, func(t *testing.T) {
			var hashes [2]uint64
			for i := range hashes {
				b, apply := shard(t)
				apply(1, create("tea", 9))
				apply(2, order("tea", "u", "k", 1))
				before := b.Hash()
				if i == 1 {
					damage(b.slots[0].ledger)
				}
				if b.Hash() != before {
					t.Fatal("nothing was applied")
				}
				apply(3, &Cancel{Order: OrderID{Partition: PartitionOf("tea"), SKU: 1, Counter: 1}})
				hashes[i] = b.Hash()
			}
			if hashes[0] == hashes[1] {
				t.Error("the same hash")
			}
		})
	}
}

func TestVerdict(t *testing.T) {
	for name, c := range map[string]struct {
		hashes []uint64
		odd    []string
	}{
		"nobody":                     {nil, nil},
		"one alone":                  {[]uint64{1}, nil},
		"two alike":                  {[]uint64{1, 1}, nil},
		"two that differ":            {[]uint64{1, 2}, []string{"r0", "r1"}},
		"one of three":               {[]uint64{1, 2, 1}, []string{"r1"}},
		"the first of three":         {[]uint64{3, 2, 2}, []string{"r0"}},
		"three that differ":          {[]uint64{3, 2, 1}, []string{"r0", "r1", "r2"}},
		"half is no majority":        {[]uint64{1, 2, 1, 2}, []string{"r0", "r1", "r2", "r3"}},
		"most common, no majority":   {[]uint64{1, 1, 2, 3}, []string{"r0", "r1", "r2", "r3"}},
		"three of five":              {[]uint64{1, 1, 2, 3, 1}, []string{"r2", "r3"}},
		"zero is a hash like others": {[]uint64{0, 0, 2}, []string{"r2"}},
	} {
		m := &HashMark{Index: 7}
		for i, h := range c.hashes {
			m.Reports = append(m.Reports, HashReport{fmt.Sprint("r", i), h})
		}
		if odd := m.Odd(); !slices.Equal(odd, c.odd) {
			t.Errorf("%s: %v, want %v", name, odd, c.odd)
		}
	}
}

// A level is raised once, never lowered, and is kept by a snapshot; a hash mark changes nothing.
func TestLevel(t *testing.T) {
	b, apply := shard(t)
	if b.Level() != 1 {
		t.Fatalf("a shard begins at level %d", b.Level())
	}
	first := b.Hash()
	for _, l := range []uint16{LevelRefusals, LevelHashMarks, 1, 0} {
		apply(0, &RaiseLevel{Level: l})
		if b.Level() != LevelRefusals || restored(t, b).Level() != LevelRefusals {
			t.Errorf("after %d the level is %d", l, b.Level())
		}
	}
	if b.Hash() == first {
		t.Error("the level has no part in the hash")
	}
	apply(0, create("tea", 1))
	with := b.slots[0].ledger.Hash()
	b.slots[0].ledger.level = firstLevel
	if b.slots[0].ledger.Hash() == with {
		t.Error("the level that a SKU follows has no part in its hash")
	}
	b.slots[0].ledger.level = b.level
	b.Hash() // so that nothing is left to look at
	was := *b
	apply(0, &HashMark{Index: 1, Reports: []HashReport{{"a", 1}, {"b", 2}}})
	was.index = b.index
	if was.Hash() != b.Hash() || !bytes.Equal(snapshot(t, &was), snapshot(t, b)) {
		t.Error("a hash mark changed the state")
	}
	if err := NewProposalWriter(0).Add(&RaiseLevel{Level: Level + 1}); !errors.Is(err, ErrUnknownCommand) {
		t.Errorf("a level that nobody knows was proposed: %v", err)
	}
}
