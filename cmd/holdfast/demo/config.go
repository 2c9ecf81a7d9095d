package demo

import (
	"io"
	"time"
)

// Config is what a demo is made of. Zero values take the defaults named at the fields.
type Config struct {
	// Program is the binary whose serve command is the node. Needed.
	Program string
	// Units is the stock. Default 1,000.
	Units int64
	// Buyers is how many people come. Default 50,000.
	Buyers int
	// Callers is how many orders are under way at once; payments use a few connections more. Default 64.
	Callers int
	// HoldTTL is how long an order waits for its payment. Default 1.5 s.
	HoldTTL time.Duration
	// Think bounds how long a buyer takes to pay or give up, from a twentieth of it on. Default 600 ms.
	Think time.Duration
	// CutAt is the share of the stock, in percent, at whose sale the power is cut, if not before because most buyers are in. Default 40.
	CutAt int64
	// Limit is how long the whole sale may take. Default two minutes.
	Limit time.Duration
	// Seed decides who does what. Default 1.
	Seed uint64
	// Log takes what happens, Verbose what the node logs; nil: nowhere.
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
	def(&c.Units, 1_000)
	def(&c.Buyers, 50_000)
	def(&c.Callers, 64)
	def(&c.HoldTTL, 1500*time.Millisecond)
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
