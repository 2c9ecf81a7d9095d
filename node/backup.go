package node

import (
	"context"
	"errors"
	"io"

	"holdfast/api/topology"
	"holdfast/cluster/backup"
)

// Backup returns a consistent backup of all shards, which is made while it is read.
func (t topologist) Backup(ctx context.Context, _ string) (io.ReadCloser, topology.Refusal) {
	stream, err := t.n.backups.Stream(ctx)
	if err == nil {
		return stream, topology.Refusal{}
	}
	r := topology.Refusal{Text: err.Error(), Retryable: true}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		r.Code = topology.DeadlineExceeded
	case errors.Is(err, backup.ErrBusy):
		r.Code, r.Bound = topology.Overloaded, "backup"
	case errors.Is(err, backup.ErrClosed):
		r.Code = topology.Draining
	case errors.Is(err, backup.ErrNoCluster), errors.Is(err, backup.ErrNoLeader):
		r.Code, r.WayOut = topology.NoLeader, "look at 'holdfast cluster status', and ask again"
	default:
		r.Code, r.Retryable = topology.Internal, false
	}
	return nil, r
}
