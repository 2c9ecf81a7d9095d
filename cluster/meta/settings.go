package meta

import (
	"strconv"

	"holdfast/stock"
)

// Settings are what outcomes depend on besides the tables (rule R1). The first two are passed on to every shard.
type Settings struct {
	// RetentionMS is how long an acceptance is remembered after its order settled, 1 to stock.MaxRetentionMS milliseconds of log time.
	RetentionMS int64
	// MaxOpenOrders bounds the open and held orders of one SKU, 1 to stock.MaxStock.
	MaxOpenOrders int64
	// MaxNodes bounds the nodes of the cluster, 1 to MaxMaxNodes.
	MaxNodes int64
}

// MaxMaxNodes is the highest bound of nodes: each has a replica of the meta group.
const MaxMaxNodes = 64

// DefaultSettings returns the settings of a new cluster.
func DefaultSettings() Settings {
	of := stock.DefaultSettings()
	return Settings{RetentionMS: of.RetentionMS, MaxOpenOrders: of.MaxOpenOrders, MaxNodes: 7}
}

// Check returns the first setting that is out of range and why; two empty strings when all is well.
func (s *Settings) Check() (field, reason string) {
	switch {
	case s.RetentionMS < 1 || s.RetentionMS > stock.MaxRetentionMS:
		return "retention_ms", between(1, stock.MaxRetentionMS)
	case s.MaxOpenOrders < 1 || s.MaxOpenOrders > stock.MaxStock:
		return "max_open_orders_per_sku", between(1, stock.MaxStock)
	case s.MaxNodes < 1 || s.MaxNodes > MaxMaxNodes:
		return "max_nodes", between(1, MaxMaxNodes)
	}
	return "", ""
}

func between(low, high int64) string {
	return "must be " + strconv.FormatInt(low, 10) + " to " + strconv.FormatInt(high, 10)
}

// SettingsPatch changes the settings that are set.
type SettingsPatch struct {
	RetentionMS, MaxOpenOrders, MaxNodes *int64
}

// Over returns the settings with the patch applied.
func (p *SettingsPatch) Over(s Settings) Settings {
	for _, f := range []struct {
		to   *int64
		from *int64
	}{{&s.RetentionMS, p.RetentionMS}, {&s.MaxOpenOrders, p.MaxOpenOrders}, {&s.MaxNodes, p.MaxNodes}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	return s
}
