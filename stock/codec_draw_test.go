package stock

import (
	"slices"

	"pgregory.net/rapid"
)

// drawCommand draws any command that may stand in a proposal.
func drawCommand(t *rapid.T) Command {
	if rapid.Bool().Draw(t, "order command") {
		return drawOrderCommand(t)
	}
	return drawAdminCommand(t)
}

func drawOrderCommand(t *rapid.T) Command {
	switch rapid.SampledFrom([]Kind{KindPlace, KindConfirm, KindCancel, KindReturn, KindFence, KindExpire}).Draw(t, "kind") {
	case KindPlace:
		return &Place{
			Meta: drawMeta(t), SKU: drawText(t, "sku", MaxNameBytes), User: drawText(t, "user", MaxNameBytes),
			Qty: rapid.Int64().Draw(t, "qty"), ClientRef: drawText(t, "client ref", MaxClientRefBytes),
		}
	case KindConfirm:
		return &Confirm{Meta: drawMeta(t), Order: drawOrderID(t), PaymentID: drawText(t, "payment", MaxNameBytes)}
	case KindCancel:
		return &Cancel{Meta: drawMeta(t), Order: drawOrderID(t), Reason: drawText(t, "reason", MaxReasonBytes)}
	case KindReturn:
		return &Return{
			Meta: drawMeta(t), Order: drawOrderID(t), Qty: rapid.Int64().Draw(t, "qty"), Restock: rapid.Bool().Draw(t, "restock"),
		}
	case KindFence:
		return &Fence{Meta: drawMeta(t), SKU: drawText(t, "sku", MaxNameBytes)}
	}
	return &Expire{SKU: drawText(t, "sku", MaxNameBytes)}
}

func drawAdminCommand(t *rapid.T) Command {
	sku := func() string { return drawText(t, "sku", MaxNameBytes) }
	kinds := []Kind{
		KindInit, KindOpen, KindCreate, KindUpdate, KindAdjust, KindFreeze, KindSettings, KindFlushMark, KindFlushSpan, KindRaiseLevel, KindHashMark,
		KindRaiseEpoch,
	}
	kind := rapid.SampledFrom(kinds).Draw(t, "kind")
	switch kind {
	case KindInit:
		return &Init{
			Epoch:      rapid.Uint16().Draw(t, "epoch"),
			Partitions: rapid.SliceOfN(rapid.Map(rapid.Uint16Range(0, Partitions-1), asPartition), 0, Partitions).Draw(t, "partitions"),
			Settings:   drawSettings(t),
		}
	case KindOpen:
		return &Open{Term: rapid.Uint64().Draw(t, "term")}
	case KindCreate:
		return &Create{Meta: drawMeta(t), Spec: drawSpec(t)}
	case KindUpdate:
		return &Update{Meta: drawMeta(t), SKU: sku(), Patch: drawPatch(t)}
	case KindAdjust:
		return &Adjust{
			Meta: drawMeta(t), SKU: sku(), Delta: rapid.Int64().Draw(t, "delta"), Reason: drawText(t, "reason", MaxReasonBytes),
		}
	case KindFreeze:
		return &Freeze{Meta: drawMeta(t), SKU: sku(), Frozen: rapid.Bool().Draw(t, "frozen")}
	case KindSettings:
		return &SetSettings{Meta: drawMeta(t), Settings: drawSettings(t)}
	case KindFlushSpan:
		return &FlushSpan{Index: rapid.Uint64().Draw(t, "index"), First: rapid.Uint32().Draw(t, "first"), Last: rapid.Uint32().Draw(t, "last")}
	}
	return drawLaterCommand(t, kind)
}

func drawLaterCommand(t *rapid.T, kind Kind) Command {
	switch kind {
	case KindRaiseLevel:
		return &RaiseLevel{Level: rapid.Uint16Range(0, Level).Draw(t, "level")}
	case KindRaiseEpoch:
		return &RaiseEpoch{Epoch: rapid.Uint16Range(0, MaxEpoch).Draw(t, "epoch")}
	case KindHashMark:
		names := rapid.SliceOfNDistinct(rapid.StringN(1, -1, MaxReplicaBytes), 0, MaxHashReports, rapid.ID[string]).Draw(t, "replicas")
		slices.Sort(names)
		c := &HashMark{Index: rapid.Uint64().Draw(t, "index"), Reports: make([]HashReport, len(names))}
		for i, name := range names {
			c.Reports[i] = HashReport{name, rapid.Uint64().Draw(t, "hash")}
		}
		return c
	}
	return &FlushMark{Index: rapid.Uint64().Draw(t, "index")}
}

func asPartition(n uint16) Partition { return Partition(n) }

func drawText(t *rapid.T, name string, maxBytes int) string {
	return rapid.StringN(0, -1, maxBytes).Draw(t, name)
}

func drawTime(t *rapid.T, name string) Time { return Time(rapid.Int64().Draw(t, name)) }

func drawMeta(t *rapid.T) Meta {
	return Meta{
		Caller: drawText(t, "caller", MaxNameBytes), Key: drawText(t, "key", MaxKeyBytes),
		Deadline: drawTime(t, "deadline"), Retry: rapid.Bool().Draw(t, "retry"),
	}
}

func drawSpec(t *rapid.T) Spec {
	return Spec{
		SKU: drawText(t, "sku", MaxNameBytes), Stock: rapid.Int64().Draw(t, "stock"), Mode: Mode(rapid.Uint8().Draw(t, "mode")),
		HoldTTLMS: rapid.Int64().Draw(t, "ttl"), LimitPerUser: rapid.Int64().Draw(t, "limit"), MaxQty: rapid.Int64().Draw(t, "max qty"),
		OpensAt: drawTime(t, "opens"), ClosesAt: drawTime(t, "closes"), Hot: rapid.Bool().Draw(t, "hot"),
	}
}

func drawPatch(t *rapid.T) Patch {
	number := rapid.Ptr(rapid.Int64(), true)
	moment := rapid.Ptr(rapid.Map(rapid.Int64(), func(n int64) Time { return Time(n) }), true)
	return Patch{
		HoldTTLMS: number.Draw(t, "ttl"), LimitPerUser: number.Draw(t, "limit"), MaxQty: number.Draw(t, "max qty"),
		OpensAt: moment.Draw(t, "opens"), ClosesAt: moment.Draw(t, "closes"), Hot: rapid.Ptr(rapid.Bool(), true).Draw(t, "hot"),
	}
}

func drawSettings(t *rapid.T) Settings {
	return Settings{
		RetentionMS: rapid.Int64().Draw(t, "retention"), MaxOpenOrders: rapid.Int64().Draw(t, "max open"),
		ExpiryBatch: rapid.Int64().Draw(t, "expiry batch"), EvictBatch: rapid.Int64().Draw(t, "evict batch"),
	}
}

func drawHeader(t *rapid.T) Header {
	return Header{
		Term: rapid.Uint64().Draw(t, "term"), Clock: drawTime(t, "clock"),
		Incarnation: rapid.Uint64().Draw(t, "incarnation"), Sequence: rapid.Uint64().Draw(t, "sequence"),
	}
}
