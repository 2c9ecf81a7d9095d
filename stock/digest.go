package stock

import "github.com/cespare/xxhash/v2"

// digest folds words and texts into a hash: multiply and fold, good enough to tell replicas apart, not to withstand an adversary.
type digest uint64

func (d *digest) word(v uint64) { *d = digest(mix(uint64(*d), v)) }

func (d *digest) text(s string) { *d = digest(mixText(uint64(*d), s)) }

func (d *digest) flag(v bool) {
	if v {
		d.word(1)
	} else {
		d.word(0)
	}
}

// mix folds a word into a hash.
func mix(h, v uint64) uint64 {
	h = (h ^ v) * 0x9E3779B97F4A7C15
	return h ^ h>>29
}

func mixText(h uint64, s string) uint64 { return mix(h, xxhash.Sum64String(s)) }

func mixBytes(h uint64, b []byte) uint64 { return mix(h, xxhash.Sum64(b)) }

// chain is the hash of a list that grows at its end and shrinks at its front, and in which the order counts: the sum of hash(i) * chainBase^(n-1-i)
// over its n elements.
type chain uint64

const chainBase = 0x9E3779B97F4A7C15

// push adds an element's hash at the end.
func (c *chain) push(hash uint64) { *c = *c*chainBase + chain(hash) }

// shift takes the hash of the first of n elements away.
func (c *chain) shift(hash uint64, n int) { *c -= chain(hash * power(n-1)) }

// power returns chainBase^n.
func power(n int) uint64 {
	p, square := uint64(1), uint64(chainBase)
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			p *= square
		}
		square *= square
	}
	return p
}

// chainOf makes the chain of a list from scratch.
func chainOf[T interface{ hash() uint64 }](list []T) (c chain) {
	for _, e := range list {
		c.push(e.hash())
	}
	return c
}

func (s *Spec) digest(d *digest) {
	d.text(s.SKU)
	for _, n := range [...]int64{
		s.Stock, int64(s.Mode), s.HoldTTLMS, s.LimitPerUser, s.MaxQty, int64(s.OpensAt), int64(s.ClosesAt),
	} {
		d.word(uint64(n))
	}
	d.flag(s.Hot)
}

func (s *Settings) digest(d *digest) {
	for _, n := range [...]int64{s.RetentionMS, s.MaxOpenOrders, s.ExpiryBatch, s.EvictBatch} {
		d.word(uint64(n))
	}
}

func (s *SKU) digest(d *digest) {
	s.Spec.digest(d)
	for _, n := range [...]int64{s.Available, s.Held, s.Sold} {
		d.word(uint64(n))
	}
	d.word(uint64(s.Number))
	d.flag(s.Frozen)
	d.flag(s.Broken)
	d.word(s.Version)
}

func (x *Detail) digest(d *digest) {
	for _, n := range [...]int64{
		int64(x.OpensAt), int64(x.ClosesAt), x.MaxQty, x.Limit, x.Used, x.Available, x.Held, int64(x.NextReleaseAt), int64(x.ExpiredAt),
		int64(x.State), x.Returnable,
	} {
		d.word(uint64(n))
	}
	for _, s := range [...]string{x.FirstPaymentID, x.Field, x.Reason, x.Bound} {
		d.text(s)
	}
	d.word(uint64(len(x.Differs)))
	for _, s := range x.Differs {
		d.text(s)
	}
}

func (o *Outcome) digest(d *digest) {
	d.word(uint64(o.Code))
	d.flag(o.Replayed)
	if d.flag(o.Order != nil); o.Order != nil {
		d.word(xxhash.Sum64(marshal(o.Order))) // no outcome that is remembered shows one
	}
	if d.flag(o.SKU != nil); o.SKU != nil {
		o.SKU.digest(d)
	}
	if d.flag(o.Detail != nil); o.Detail != nil {
		o.Detail.digest(d)
	}
}

func (k *memoryKey) digest(d *digest) {
	d.word(uint64(k.Space))
	d.text(k.Caller)
	d.word(k.Counter)
	d.text(k.Key)
}

func (r *remembered) hash() uint64 {
	var d digest
	r.Key.digest(&d)
	d.word(uint64(r.Until))
	r.Outcome.digest(&d)
	return uint64(d)
}

func (a *adjusted) hash() uint64 {
	var d digest
	d.text(a.Caller)
	d.text(a.Key)
	d.word(uint64(a.Delta))
	d.text(a.Reason)
	d.word(uint64(a.At))
	a.SKU.digest(&d)
	return uint64(d)
}
