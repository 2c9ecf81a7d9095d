package demo

import (
	"io"
	"time"
)

// Config is what a demo is made of. Zero values take the defaults named at the fields.
type Config struct {
	// Program is the binary whose serve command is a node. Needed.
	Program string
	// Nodes is how many processes the cluster has: 1, or 3, of which each has a copy of every shard. Default 3.
	Nodes int
	// Units is the stock. Default 1,000.
	Units int64
	// Buyers is how many people come. Default 20,000.
	Buyers int
	// Callers is how many orders are under way at once; payments use a few connections more. Default 64.
	Callers int
	// HoldTTL is how long an order waits for its payment. Default 2 s.
	HoldTTL time.Duration
	// Think bounds how long a buyer takes to pay or give up, from a twentieth of it on. Default 600 ms.
	Think time.Duration
	// CutAt is the share of the stock, in percent, at whose order the leader is killed, if not before because most buyers are in. Default 40.
	CutAt int64
	// Limit is how long the whole sale may take. Default two minutes.
	Limit time.Duration
	// Seed decides who does what. Default 1.
	Seed uint64
	// Log takes what happens, Verbose what the nodes log; nil: nowhere.
	Log, Verbose io.Writer
	// Columns is the width of the terminal that Log is, on which a line may be written again; 0: it is none.
	Columns int
}

// The sale is of one SKU.
const (
	sku          = "sneaker"
	limitPerUser = 1
)

func (c Config) withDefaults() Config {
	def(&c.Nodes, 3)
	def(&c.Units, 1_000)
	def(&c.Buyers, 20_000)
	def(&c.Callers, 64)
	def(&c.HoldTTL, 2*time.Second)
	def(&c.Think, 600*time.Millisecond)
	def(&c.CutAt, 40)
	def(&c.Limit, 2*time.Minute)
	def(&c.Seed, 1)
	if c.Log == nil {
		c.Log = io.Discard
	}
	return c
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
