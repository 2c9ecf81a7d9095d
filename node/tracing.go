package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"holdfast/api"
	"holdfast/api/tracing"
)

func (n *Node) openTracing() (err error) {
	if !n.cfg.Tracing {
		return nil
	}
	n.tracing, err = tracing.Open(tracing.Config{
		NodeID: n.cfg.NodeID, Version: n.cfg.Build.Version, Secure: n.certificate != nil, Registerer: n.registry, Logger: n.cfg.Logger,
	})
	if errors.Is(err, tracing.ErrConfig) {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return err
}

// tracer returns what the front door tells its requests to; nil when nobody wants to know.
func (n *Node) tracer() api.Tracer {
	if n.tracing == nil {
		return nil
	}
	return n.tracing
}

// spansGrace is how long a node that ends waits for a collector. It comes last: orders, log and storage are closed by then.
const spansGrace = 2 * time.Second

// closeTracing sends what waits. Spans that nobody takes are no reason to end otherwise than in order.
func (n *Node) closeTracing(ctx context.Context) {
	if n.tracing == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, spansGrace)
	defer cancel()
	if err := n.tracing.Close(ctx); err != nil {
		n.cfg.Logger.Warn("the last spans were lost", "error", err)
	}
}
