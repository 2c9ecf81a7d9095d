package scenario

import (
	"context"
	"sync"

	"holdfast/bench/load"
	"holdfast/bench/sale"
)

// stepsAtOnce bounds the steps of one caller that are under way.
const stepsAtOnce = 16

// settle takes as many steps as a call places orders.
func (l *lifecycle) settle(ctx context.Context, number int, r *load.Record) {
	due := l.errands[number][:l.p.Batch]
	answers := make([]sale.Answer, len(due))
	l.take(ctx, due, answers)
	var later []errand
	for i := range due {
		e, a := &due[i], answers[i]
		l.ledger.Settled(number, e.order, e.id, e.step, a)
		if a.Verdict == sale.Accepted && e.then != 0 {
			later = append(later, errand{order: e.order, id: e.id, step: e.then})
		}
	}
	left := copy(l.errands[number], l.errands[number][l.p.Batch:])
	clear(l.errands[number][left:])
	l.errands[number] = append(l.errands[number][:left], later...)
	record(r, answers)
}

// take takes steps, some at once. A payment and a return are named by the order's key.
func (l *lifecycle) take(ctx context.Context, due []errand, answers []sale.Answer) {
	if len(due) == 1 {
		answers[0] = l.settler.Settle(ctx, due[0].step, due[0].id, due[0].order.Key)
		return
	}
	var wg sync.WaitGroup
	workers := min(stepsAtOnce, len(due))
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(due); i += workers {
				answers[i] = l.settler.Settle(ctx, due[i].step, due[i].id, due[i].order.Key)
			}
		})
	}
	wg.Wait()
}
