package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"holdfast/api/access"
	"holdfast/cluster/peercert"
	"holdfast/node"
)

// Config says what to examine.
type Config struct {
	// Node is the configuration that serve would have.
	Node node.Config
	// Deep reads the whole log, however long it is.
	Deep bool
	// DiskTime bounds how long the disk is measured. Default 3 s.
	DiskTime time.Duration
}

// ErrInterrupted is returned by Examine when the context ended first.
var ErrInterrupted = errors.New("doctor: interrupted")

// Examine gathers the facts and judges them. It leaves nothing behind, also when ctx ends, which is the only error: ErrInterrupted.
func Examine(ctx context.Context, cfg Config) (Report, error) {
	if cfg.DiskTime <= 0 {
		cfg.DiskTime = 3 * time.Second
	}
	f := gather(ctx, &cfg)
	if ctx.Err() != nil {
		return Report{}, fmt.Errorf("%w: nothing was left behind: %w", ErrInterrupted, ctx.Err())
	}
	return newReport(judge(&cfg.Node, &f)), nil
}

func gather(ctx context.Context, cfg *Config) facts {
	begin := time.Now()
	wall := begin.Round(0) // without its monotonic reading
	f := facts{directory: lookAt(cfg.Node.DataDir)}
	f.contents = gatherContents(&cfg.Node, cfg.Deep)
	f.volume = gatherVolume(f.directory.base, &cfg.Node)
	f.fsync, f.directory.write = measureFsync(ctx, f.directory.base, cfg.DiskTime)
	f.machine = gatherMachine()
	f.ports = gatherPorts(ctx, &cfg.Node)
	f.certificate, f.keys = gatherDoor(&cfg.Node)
	f.peer = gatherPeerCertificate(&cfg.Node)
	f.seeds = gatherSeeds(ctx, &cfg.Node, f.contents.identity)
	if err := cfg.Node.Check(); !judgedElsewhere(err) {
		f.guard = err
	}
	f.sink = gatherSink(ctx, &cfg.Node, &f.contents)
	f.clock = readClock()
	f.now = time.Now()
	f.clock.stepped = f.now.Round(0).Sub(wall) - f.now.Sub(begin)
	return f
}

// judgedElsewhere: files that have a check of their own.
func judgedElsewhere(err error) bool {
	return errors.Is(err, access.ErrKeysFile) || errors.Is(err, access.ErrCertificate) || errors.Is(err, peercert.ErrFiles)
}

// judge is a function of its arguments alone.
func judge(c *node.Config, f *facts) []Check {
	return slices.Concat(
		judgeContents(c, f), judgeDirectory(f), judgeVolume(c, f), judgeFsync(c, f), judgeMachine(c, f), judgeClock(c, f),
		judgePorts(c, f), judgeDoor(c, f), judgeOthers(c, f), judgeSink(c, f),
	)
}
