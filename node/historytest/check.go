package historytest

import (
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

var (
	// ErrNotLinearizable is returned by Check for a history that no order of its calls explains.
	ErrNotLinearizable = errors.New("historytest: the history is not linearizable")
	// ErrTooLong is returned by Check when the search did not end in time.
	ErrTooLong = errors.New("historytest: the search took too long")
	// ErrMode is returned by Check for a SKU whose mode the model does not know.
	ErrMode = errors.New("historytest: mode")
)

// Check looks for an order of the calls of a SKU that explains every answer, for no longer than within. The error wraps ErrNotLinearizable and shows
// where the longest attempt got stuck, or it wraps ErrTooLong.
func Check(spec Spec, ops []Op, within time.Duration) error {
	if spec.Mode != "" && spec.Mode != "hold" && spec.Mode != "on_order" {
		return fmt.Errorf("%w %q of %s", ErrMode, spec.Mode, spec.SKU)
	}
	steps, keys, users := prepare(ops)
	all := hearAll(steps, keys)
	steps = narrow(steps, all)
	model := (&rules{
		Spec: spec, seed: maphash.MakeSeed(), keys: heightFor(keys), users: heightFor(users), moves: newMoves(all, spec.Mode != "on_order"),
	}).model()
	history := make([]porcupine.Operation, len(steps))
	for i, p := range steps {
		history[i] = porcupine.Operation{ClientId: p.Caller, Input: p, Call: p.Call, Return: p.Return}
	}
	switch porcupine.CheckOperationsTimeout(model, history, within) {
	case porcupine.Ok:
		return nil
	case porcupine.Illegal:
		_, found := porcupine.CheckOperationsVerbose(model, history, within)
		return fmt.Errorf("%w: %s, %d calls: %s", ErrNotLinearizable, spec.SKU, len(ops), stuck(steps, found.PartialLinearizationsOperations()))
	}
	return fmt.Errorf("%w: %s, %d calls, %v", ErrTooLong, spec.SKU, len(ops), within)
}

// prepare gives keys and users numbers, and each call the key of its order. Calls are copied: they will be narrowed.
func prepare(ops []Op) (steps []*step, keys, users int) {
	number, user := make(map[string]int), make(map[string]int)
	numberOf := func(in map[string]int, name string) int {
		if _, ok := in[name]; !ok {
			in[name] = len(in)
		}
		return in[name]
	}
	keyOf, idOf := make(map[string]string), make(map[string]string)
	for i := range ops {
		if o := &ops[i]; o.Key != "" && o.Answer.OrderID != "" {
			keyOf[o.Answer.OrderID] = o.Key
			if idOf[o.Key] == "" {
				idOf[o.Key] = o.Answer.OrderID
			}
		}
	}
	unanswered := make(map[string]int64) // by key, the earliest call
	for i := range ops {
		o := ops[i]
		p := &step{Op: &o}
		if o.Kind != ReadSKU {
			key := o.Key
			if key == "" {
				if key = keyOf[o.OrderID]; key == "" {
					key = "the order " + o.OrderID
				}
			}
			p.key, p.id = numberOf(number, key), idOf[key]
		}
		if o.Kind == Place {
			p.user = numberOf(user, o.User)
			if first, ok := unanswered[o.Key]; o.Answer.unknown() && (!ok || o.Call < first) {
				unanswered[o.Key] = o.Call
			}
		}
		steps = append(steps, p)
	}
	for _, p := range steps {
		if first, ok := unanswered[p.Key]; ok && p.Kind == Place {
			p.echo = first < p.Call
		}
	}
	return steps, len(number) + 1, len(user) + 1
}

const (
	shownBefore = 8
	shownAfter  = 8
)

// stuck shows the end of the longest attempt, and the calls that could not follow, by their ends.
func stuck(steps []*step, attempts [][][]porcupine.Operation) string {
	var longest []porcupine.Operation
	for _, partition := range attempts {
		for _, a := range partition {
			if len(a) > len(longest) {
				longest = a
			}
		}
	}
	var text strings.Builder
	explained := make(map[*step]bool, len(longest))
	for i := range longest {
		p := longest[i].Input.(*step)
		explained[p] = true
		if i >= len(longest)-shownBefore {
			fmt.Fprintf(&text, "\n  explained: %s", p)
		}
	}
	rest := slices.DeleteFunc(slices.Clone(steps), func(p *step) bool { return explained[p] })
	slices.SortFunc(rest, func(a, b *step) int { return cmp.Compare(a.Return, b.Return) })
	for _, p := range rest[:min(len(rest), shownAfter)] {
		fmt.Fprintf(&text, "\n  not:       %s", p)
	}
	return fmt.Sprintf("%d are explained, %d are not%s", len(longest), len(rest), text.String())
}
