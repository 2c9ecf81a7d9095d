package stock

// Kind numbers the commands in the log. A number is never used again for something else.
type Kind uint8

// The order commands, encoded by hand, and the administrative ones, encoded by msgpack/v5.
const (
	KindPlace Kind = iota + 1
	KindConfirm
	KindCancel
	KindReturn
	KindFence
	KindExpire

	KindInit Kind = iota + 10
	KindOpen
	KindCreate
	KindUpdate
	KindAdjust
	KindFreeze
	KindSettings
	KindFlushMark
	KindFlushSpan
	KindRaiseLevel
	KindHashMark
	KindRaiseEpoch
)

// Command is one change that travels through the log. Apply decides about it from the state and the command alone (rule R1).
type Command interface {
	Kind() Kind
	// Head returns what every keyed command carries; nil for the commands a leader makes by itself.
	Head() *Meta
}

// Request is what the gateway takes: a command or a query, and the partition that must answer it.
type Request interface {
	Partition() Partition
}

// Meta is what every keyed command carries.
type Meta struct {
	// Caller is the name of the API key that asked, "" for anonymous. It is part of the key's scope.
	Caller string
	// Key is the idempotency key: the caller's for orders, returns and adjustments, else one made by the first node (rule R5).
	Key string
	// Deadline is when nobody waits any more. Apply refuses the command from then on; zero means none.
	Deadline Time
	// Retry marks a command of which an earlier copy may be under way. Its refusal goes through the log and is remembered until
	// Deadline, so that no copy can take effect after it (rule R4).
	Retry bool
}

// Head returns m.
func (m *Meta) Head() *Meta { return m }

// Place claims Qty units of a SKU for a user.
type Place struct {
	Meta
	SKU       string
	User      string
	Qty       int64
	ClientRef string
}

// Confirm records the payment of an order.
type Confirm struct {
	Meta
	Order     OrderID
	PaymentID string
}

// Cancel gives up an order before its payment. The reason stays in the log.
type Cancel struct {
	Meta
	Order  OrderID
	Reason string
}

// Return takes units of a sold order back. Qty 0 means all that is left; without Restock the units leave the stock.
type Return struct {
	Meta
	Order   OrderID
	Qty     int64
	Restock bool
}

// Fence takes the key's place (Meta.Caller, SKU, Meta.Key) unless an order holds it: a later order with that key is refused for good.
type Fence struct {
	Meta
	SKU string
}

// Expire releases the due holds of a SKU, at most Settings.ExpiryBatch of them. Leaders propose it; nobody waits for it.
type Expire struct {
	SKU string
}

// Init is the first command of a shard's log: what the shard is.
type Init struct {
	Epoch      uint16
	Partitions []Partition
	Settings   Settings
}

// Open is proposed by a new leader; once applied, the leader of that term may admit orders (rule R14).
type Open struct {
	Term uint64
}

// Create makes a SKU.
type Create struct {
	Meta
	Spec Spec
}

// Update changes what later orders of a SKU are accepted under.
type Update struct {
	Meta
	SKU   string
	Patch Patch
}

// Adjust adds Delta units to a SKU's stock, or takes them from what is available.
type Adjust struct {
	Meta
	SKU    string
	Delta  int64
	Reason string
}

// Freeze stops (or, with Frozen false, resumes) the sale of a SKU.
type Freeze struct {
	Meta
	SKU    string
	Frozen bool
}

// SetSettings replaces the shard's settings.
type SetSettings struct {
	Meta
	Settings Settings
}

// FlushMark says that every change up to Index is durable in all sinks that must have it (rule R27): settled orders at or below it may
// leave memory once past retention.
type FlushMark struct {
	Index uint64
}

// FlushSpan is a FlushMark for the SKUs with the numbers First to Last alone, so that no apply looks at all SKUs of a shard.
type FlushSpan struct {
	Index       uint64
	First, Last uint32
}

// Kind returns the command's number in the log.
func (*Place) Kind() Kind       { return KindPlace }
func (*Confirm) Kind() Kind     { return KindConfirm }
func (*Cancel) Kind() Kind      { return KindCancel }
func (*Return) Kind() Kind      { return KindReturn }
func (*Fence) Kind() Kind       { return KindFence }
func (*Expire) Kind() Kind      { return KindExpire }
func (*Init) Kind() Kind        { return KindInit }
func (*Open) Kind() Kind        { return KindOpen }
func (*Create) Kind() Kind      { return KindCreate }
func (*Update) Kind() Kind      { return KindUpdate }
func (*Adjust) Kind() Kind      { return KindAdjust }
func (*Freeze) Kind() Kind      { return KindFreeze }
func (*SetSettings) Kind() Kind { return KindSettings }
func (*FlushMark) Kind() Kind   { return KindFlushMark }
func (*FlushSpan) Kind() Kind   { return KindFlushSpan }

// Head returns nil: leaders make these commands, and nobody waits for them.
func (*Expire) Head() *Meta    { return nil }
func (*Init) Head() *Meta      { return nil }
func (*Open) Head() *Meta      { return nil }
func (*FlushMark) Head() *Meta { return nil }
func (*FlushSpan) Head() *Meta { return nil }

// Partition returns the partition whose shard decides about the command.
func (c *Place) Partition() Partition   { return PartitionOf(c.SKU) }
func (c *Confirm) Partition() Partition { return c.Order.Partition }
func (c *Cancel) Partition() Partition  { return c.Order.Partition }
func (c *Return) Partition() Partition  { return c.Order.Partition }
func (c *Fence) Partition() Partition   { return PartitionOf(c.SKU) }
func (c *Create) Partition() Partition  { return PartitionOf(c.Spec.SKU) }
func (c *Update) Partition() Partition  { return PartitionOf(c.SKU) }
func (c *Adjust) Partition() Partition  { return PartitionOf(c.SKU) }
func (c *Freeze) Partition() Partition  { return PartitionOf(c.SKU) }
