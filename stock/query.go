package stock

// GetOrder asks for an order as it stands.
type GetOrder struct {
	Order OrderID
}

// GetOutcome asks what became of an idempotency key. It waits while the key is undecided.
type GetOutcome struct {
	SKU    string
	Caller string
	Key    string
}

// GetSKU asks for a SKU as it stands.
type GetSKU struct {
	SKU string
}

// Partition returns the partition whose shard answers the query.
func (q *GetOrder) Partition() Partition   { return q.Order.Partition }
func (q *GetOutcome) Partition() Partition { return PartitionOf(q.SKU) }
func (q *GetSKU) Partition() Partition     { return PartitionOf(q.SKU) }
