package stock

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The files testdata/*.txt read as the specification: commands at the margin, what becomes of them indented below. They are replayed on a new
// shard each; -update writes the outcomes anew, to be read before they are committed.
func TestTranscripts(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("testdata", "*.txt"))
	if err != nil || len(paths) < 8 {
		t.Fatalf("%d transcripts, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(text))
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want := strings.Split(string(text), "\n")
			for i, line := range strings.Split(got, "\n") {
				if i >= len(want) || line != want[i] {
					t.Fatalf("line %d: %q, want %q", i+1, line, want[min(i, len(want)-1)])
				}
			}
		})
	}
}

// script is a shard and the place of its log.
type script struct {
	t     *testing.T
	book  *Book
	now   Time
	index uint64
}

// replay returns a transcript with its outcomes as they are now.
func replay(t *testing.T, text string) string {
	b, _ := shard(t)
	s := &script{t: t, book: b, index: b.index}
	var out strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "  ") {
			continue
		}
		fmt.Fprintln(&out, line)
		if words := strings.Fields(line); len(words) > 0 && words[0] != "#" {
			for _, answer := range s.run(words) {
				fmt.Fprintln(&out, "  "+answer)
			}
		}
	}
	return out.String()
}

// run runs one line: a verb, names by their place, then name=value in any order.
func (s *script) run(words []string) []string {
	a := arguments{s: s, named: map[string]string{}}
	for _, w := range words[1:] {
		if name, value, ok := strings.Cut(w, "="); ok {
			a.named[name] = value
		} else {
			a.words = append(a.words, w)
		}
	}
	switch words[0] {
	case "at":
		s.now = Time(a.number(a.word(0)))
		return nil
	case "stock":
		return []string{s.counters(a.word(0))}
	case "get":
		return s.answer(s.book.slots[a.order().SKU-1].ledger.Read(&GetOrder{Order: a.order()}))
	case "outcome":
		return s.answer(s.book.byName[a.word(0)].ledger.Read(&GetOutcome{SKU: a.word(0), Caller: a.named["caller"], Key: a.word(1)}))
	}
	s.index++
	c := a.command(words[0])
	before := s.states()
	answers := s.answer(s.book.Apply(s.book.Begin(Header{Clock: s.now}, s.index), c))
	return append(answers, s.released(before)...)
}

// arguments are the words of a line.
type arguments struct {
	s     *script
	words []string
	named map[string]string
}

func (a *arguments) word(i int) string {
	if i >= len(a.words) {
		a.s.t.Fatalf("word %d is missing after %v", i+1, a.words)
	}
	return a.words[i]
}

func (a *arguments) number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		a.s.t.Fatal(err)
	}
	return n
}

// value returns a named number, or what it is when not named.
func (a *arguments) value(name string, otherwise int64) int64 {
	if text, ok := a.named[name]; ok {
		return a.number(text)
	}
	return otherwise
}

func (a *arguments) given(name string) *int64 {
	if _, ok := a.named[name]; !ok {
		return nil
	}
	return new(a.value(name, 0))
}

func (a *arguments) moment(name string) *Time {
	if n := a.given(name); n != nil {
		return new(Time(*n))
	}
	return nil
}

// order reads sku#counter.
func (a *arguments) order() OrderID {
	name, counter, _ := strings.Cut(a.word(0), "#")
	return OrderID{Partition: PartitionOf(name), SKU: a.s.book.byName[name].number, Counter: uint64(a.number(counter))}
}

func (a *arguments) meta(key string) Meta {
	return Meta{Caller: a.named["caller"], Key: key, Deadline: Time(a.value("deadline", 0)), Retry: a.value("retry", 0) == 1}
}

// nodeKey is a key as the first node makes it: a new one for each line that names none.
func (a *arguments) nodeKey() string {
	if key, ok := a.named["key"]; ok {
		return key
	}
	return fmt.Sprint("node-", a.s.index)
}

func (a *arguments) command(verb string) Command {
	switch verb {
	case "place":
		return &Place{Meta: a.meta(a.word(2)), SKU: a.word(0), User: a.word(1), Qty: a.value("qty", 1), ClientRef: a.named["ref"]}
	case "confirm":
		return &Confirm{Meta: a.meta(a.nodeKey()), Order: a.order(), PaymentID: a.word(1)}
	case "cancel":
		return &Cancel{Meta: a.meta(a.nodeKey()), Order: a.order()}
	case "return":
		return &Return{Meta: a.meta(a.word(1)), Order: a.order(), Qty: a.value("qty", 0), Restock: a.value("restock", 1) == 1}
	case "fence":
		return &Fence{Meta: a.meta(a.word(1)), SKU: a.word(0)}
	case "expire":
		return &Expire{SKU: a.word(0)}
	case "adjust":
		return &Adjust{Meta: a.meta(a.word(1)), SKU: a.word(0), Delta: a.value("delta", 0), Reason: a.named["reason"]}
	case "freeze", "unfreeze":
		return &Freeze{Meta: a.meta(a.nodeKey()), SKU: a.word(0), Frozen: verb == "freeze"}
	case "flush":
		return &FlushMark{Index: uint64(a.value("index", int64(a.s.index)))}
	}
	return a.administration(verb)
}

func (a *arguments) administration(verb string) Command {
	switch verb {
	case "create":
		spec := Spec{
			SKU: a.word(0), Stock: a.value("stock", 0), Mode: ModeHold, HoldTTLMS: a.value("ttl", 100), LimitPerUser: a.value("limit", 0),
			MaxQty: a.value("max", 10), OpensAt: Time(a.value("opens", 0)), ClosesAt: Time(a.value("closes", 0)),
		}
		if mode, ok := ParseMode(a.named["mode"]); ok {
			spec.Mode = mode
		}
		return &Create{Meta: a.meta(a.nodeKey()), Spec: spec}
	case "update":
		return &Update{Meta: a.meta(a.nodeKey()), SKU: a.word(0), Patch: Patch{
			HoldTTLMS: a.given("ttl"), LimitPerUser: a.given("limit"), MaxQty: a.given("max"), OpensAt: a.moment("opens"), ClosesAt: a.moment("closes"),
		}}
	case "settings":
		d := DefaultSettings()
		return &SetSettings{Meta: a.meta(a.nodeKey()), Settings: Settings{
			RetentionMS: a.value("retention", d.RetentionMS), MaxOpenOrders: a.value("open", d.MaxOpenOrders),
			ExpiryBatch: a.value("expiry", d.ExpiryBatch), EvictBatch: a.value("evict", d.EvictBatch),
		}}
	}
	a.s.t.Fatalf("no verb %q", verb)
	return nil
}

func (s *script) counters(sku string) string {
	k := s.book.byName[sku].ledger.View()
	if k.Available+k.Held+k.Sold != k.Stock {
		s.t.Errorf("%s does not add up: %+v", sku, k)
	}
	return fmt.Sprintf("%s: stock %d = available %d + held %d + sold %d", sku, k.Stock, k.Available, k.Held, k.Sold)
}

// answer writes an outcome: its code, what it is about, and the members of a refusal.
func (s *script) answer(out Outcome) []string {
	line := out.Code.String()
	if out.Replayed {
		line += ", as before"
	}
	if o := out.Order; o != nil {
		line += fmt.Sprintf(": %s, %s of %s, qty %d", s.order(o), o.State, o.User, o.Qty)
		for _, f := range []struct {
			name string
			text string
		}{
			{"returned", number(o.ReturnedQty)}, {"paid with", o.PaymentID}, {"expires at", number(int64(o.ExpiresAt))},
			{"changed at", number(int64(o.UpdatedAt))},
		} {
			if f.text != "" {
				line += ", " + f.name + " " + f.text
			}
		}
	}
	if k := out.SKU; k != nil {
		line += fmt.Sprintf(": available %d, held %d, sold %d", k.Available, k.Held, k.Sold)
	}
	if d := out.Detail; d != nil {
		line += ", " + members(*d)
	}
	return []string{line}
}

func (s *script) order(o *Order) string { return fmt.Sprintf("%s#%d", o.SKU, o.ID.Counter) }

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// members writes the members of a refusal that are set.
func members(d Detail) string {
	var set []string
	for _, f := range []struct{ name, text string }{
		{"opens_at", number(int64(d.OpensAt))}, {"closes_at", number(int64(d.ClosesAt))}, {"max_qty", number(d.MaxQty)},
		{"limit", number(d.Limit)}, {"used", number(d.Used)}, {"available", number(d.Available)}, {"held", number(d.Held)},
		{"next_release_at", number(int64(d.NextReleaseAt))}, {"expired_at", number(int64(d.ExpiredAt))}, {"returnable", number(d.Returnable)},
		{"first_payment_id", d.FirstPaymentID}, {"differs", strings.Join(d.Differs, " ")}, {"field", d.Field}, {"reason", d.Reason},
		{"bound", d.Bound},
	} {
		if f.text != "" {
			set = append(set, f.name+" "+f.text)
		}
	}
	if d.State != 0 {
		set = append(set, "state "+d.State.String())
	}
	return strings.Join(set, ", ")
}

// states returns the state of every order in memory.
func (s *script) states() map[OrderID]Order {
	states := make(map[OrderID]Order)
	s.book.Each(func(l *Ledger) {
		for _, o := range l.Orders() {
			states[o.ID] = o
		}
	})
	return states
}

// released tells which orders expired or left memory by a command, in the order of their numbers.
func (s *script) released(before map[OrderID]Order) (lines []string) {
	after := s.states()
	s.book.Each(func(l *Ledger) {
		for counter := range l.rows.len() {
			id := OrderID{Epoch: l.epoch, Partition: l.partition, SKU: l.number, Counter: counter + 1}
			was, known := before[id]
			now, still := after[id]
			switch {
			case known && !still:
				lines = append(lines, s.order(&was)+" leaves memory")
			case known && now.State == StateExpired && was.State != now.State:
				lines = append(lines, fmt.Sprintf("%s expires at %d", s.order(&was), now.ExpiredAt))
			}
		}
	})
	return lines
}
