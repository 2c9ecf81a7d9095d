package sale

import "context"

// About says what a target is, beside its figures.
type About struct {
	// Name is in-process, http, redis, postgres or raft.
	Name string `json:"name"`
	// Version is what the target says of itself.
	Version string `json:"version"`
	// Durability says what an acknowledgement survives, in words: "fsync on 2 of 3 nodes", "fsync (appendfsync always)".
	Durability string `json:"durability"`
	// Replicas is how many copies an acknowledged order has when the target is whole.
	Replicas int `json:"replicas"`
	// Nodes is how many processes or machines take part.
	Nodes int `json:"nodes"`
	// Sink is the storage behind it; "" where there is none.
	Sink string `json:"sink"`
}

// Target is what is measured. All but Close may be called concurrently.
type Target interface {
	About() About
	// Create makes SKUs that are sold at once. A SKU of that name that exists is an error.
	Create(ctx context.Context, skus []SKU) error
	// Place places orders in one call and writes one answer for each. It keeps neither slice.
	Place(ctx context.Context, orders []Order, answers []Answer)
	// Counters returns a SKU's units.
	Counters(ctx context.Context, sku string) (Counters, error)
	// Resolve makes what became of an order definite and sees to it that it stays so: Accepted or Failed. An error leaves it unknown.
	Resolve(ctx context.Context, o Order) (Answer, error)
	// Orders visits all orders of the given SKUs that the target keeps (in its memory or its storage, as About says), in any order.
	Orders(ctx context.Context, skus []string, visit func(Stored)) error
	Close() error
}

// Settler is a target whose orders live on.
type Settler interface {
	// Settle takes a step with an accepted order. The key is the step's own.
	Settle(ctx context.Context, step Step, id, key string) Answer
}

// Storer is a target with storage behind it that can be read apart from it.
type Storer interface {
	// Stored visits all orders of the given SKUs in storage, once storage holds what was acknowledged before the call.
	Stored(ctx context.Context, skus []string, visit func(Stored)) error
}

// Leaders is a target whose leaders can be killed.
type Leaders interface {
	// KillLeader ends the node that leads a SKU, as kill -9 does. Heal starts it again and returns when all replicas have caught up.
	KillLeader(ctx context.Context, sku string) error
	Heal(ctx context.Context) error
}

// Picker is a target that cannot list its orders, but look up single ones. An audit looks at a sample of them then.
type Picker interface {
	// Pick visits those orders of the given SKUs whose ids are wanted.
	Pick(ctx context.Context, skus []string, wanted func(id string) bool, visit func(Stored)) error
}
