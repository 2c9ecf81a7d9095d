package cli

import (
	"errors"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/api"
	"holdfast/api/tracing"
	"holdfast/node"
	"holdfast/storage"
)

// service is what serve was told.
type service struct {
	node.Config
	drainTimeout time.Duration
	logging
}

func (a *app) serveCommand() *cobra.Command {
	var s *service
	cmd := &cobra.Command{
		Use: "serve", Short: "Run a node", Args: exactly(),
		Example: `  holdfast serve
  holdfast serve --config /etc/holdfast/holdfast.yaml
  holdfast serve --data-dir /var/lib/holdfast --http 127.0.0.1:9080 --log-format json
  holdfast serve --node-id n2 --join 10.0.0.1:8082 --peer 10.0.0.2:8082 --peer-cert n2.crt --peer-key n2.key --peer-ca ca.crt`,
		Long: "Run a node. When it can serve it prints one line of JSON with its addresses; everything else goes to standard error. SIGTERM and SIGINT\n" +
			"drain it; a second one ends it at once. SIGHUP reads the files of keys and certificates again; other settings take a restart. The same\n" +
			"command line starts it again. A flag beats its variable (HOLDFAST_NODE_ID of --node-id), which beats the file of --config.\n" +
			"Exit code 1: a port or the data directory cannot be used; 2: flags, environment or file of settings; 3: nobody to join; 4: the log or a snapshot is corrupt,\n" +
			"or the disk failed or stalled.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.check(); err != nil {
				return err
			}
			logger, err := s.logger(a.Err)
			if err != nil {
				return err
			}
			v := build()
			s.RequestLog = s.requests
			s.Logger, s.Build = logger, api.Build{Version: v.Version, Commit: v.Commit, Go: v.Go}
			return a.serve(cmd.Context(), s)
		},
	}
	s = serviceFlags(cmd)
	return cmd
}

// addressList is a flag of addresses with commas between them: one value in a file of settings, too.
type addressList []string

// Set takes the addresses apart; "" is none.
func (l *addressList) Set(text string) error {
	*l = nil
	if text != "" {
		*l = strings.Split(text, ",")
	}
	return nil
}

// String puts them together again.
func (l *addressList) String() string { return strings.Join(*l, ",") }

// Type is that of a text.
func (*addressList) Type() string { return "string" }

func (s *service) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.NodeID, "node-id", s.NodeID, "name of this node")
	f.StringVar(&s.DataDir, "data-dir", s.DataDir, "directory of the log, the snapshots and the database")
	f.StringVar(&s.HTTP, "http", s.HTTP, "address of the public listener; port 0 takes a free one")
	f.StringVar(&s.Admin, "admin", s.Admin, "address of the admin listener")
	f.StringVar(&s.Peer, "peer", s.Peer, "address for other nodes")
	f.IntVar(&s.Shards, "shards", s.Shards, "number of shards; counts when a cluster is created, and is for good")
	f.DurationVar(&s.Retention, "retention", s.Retention, "how long an acceptance is remembered; counts when a cluster is created, then holdfast cluster set changes it")
	f.StringVar(&s.Sink, "sink", s.Sink, "where orders are flushed to: sqlite, none or postgres://USER@HOST:PORT/DATABASE")
	f.BoolVar(&s.AdoptSink, "adopt-sink", s.AdoptSink, "take over a database that another cluster wrote")
	f.StringVar(&s.Refusals, "refusals", s.Refusals, "strict: a refusal rests on a leadership check; fast: it does not, and says so in a header")
	f.Var((*addressList)(&s.Join), "join", "peer addresses of a cluster to join, with commas; looked at when the data directory is empty")
	f.DurationVar(&s.JoinTimeout, "join-timeout", s.JoinTimeout, "how long to look for somebody to join")
	f.StringVar(&s.AdvertiseHTTP, "advertise-http", s.AdvertiseHTTP, "where others reach the public listener (default: where it is bound)")
	f.StringVar(&s.AdvertiseAdmin, "advertise-admin", s.AdvertiseAdmin, "where others reach the admin listener (default: where it is bound)")
	f.StringVar(&s.AdvertisePeer, "advertise-peer", s.AdvertisePeer, "where other nodes reach this one (default: where --peer is bound)")
	f.BoolVar(&s.AcceptClock, "accept-clock", s.AcceptClock, "start although the clock does not agree with the log's time")
	f.DurationVar(&s.MaxClockSkew, "max-clock-skew", s.MaxClockSkew, "how far the clock may be behind the log's time at the start, and a leader's from those of a majority of nodes")
	f.DurationVar(&s.MaxDowntime, "max-downtime", s.MaxDowntime, "how far the clock may be ahead of the log's time at the start")
	f.DurationVar(&s.HashEvery, "hash-every", s.HashEvery, "how often the replicas of a shard compare their states while there is work")
	f.DurationVar(&s.drainTimeout, "drain-timeout", 20*time.Second, "how long an orderly end may take")
}

// check refuses what is wrong before anything is opened, as serve and config check do.
func (s *service) check() error {
	for _, needed := range []struct{ flag, value string }{
		{"node-id", s.NodeID}, {"data-dir", s.DataDir}, {"http", s.HTTP}, {"admin", s.Admin}, {"peer", s.Peer}, {"sink", s.Sink},
	} {
		if needed.value == "" {
			return usagef("--%s must not be empty", needed.flag)
		}
	}
	switch {
	case s.Refusals != "strict" && s.Refusals != "fast":
		return usagef("--refusals is strict or fast, not %q", s.Refusals)
	case s.Shards < 1:
		return usagef("--shards must be at least 1")
	case s.drainTimeout <= 0 || s.Retention <= 0 || s.MaxClockSkew <= 0 || s.MaxDowntime <= 0 || s.JoinTimeout <= 0 || s.HashEvery <= 0:
		return usagef("--drain-timeout, --retention, --max-clock-skew, --max-downtime, --join-timeout and --hash-every must be positive")
	}
	if storage.Redacted(s.Sink) {
		return usagef("--sink: a mark stands where a password should: 'holdfast config show' does not show passwords; write the password itself, or leave "+
			"it out and use a password file (PGPASSFILE): %s", storage.RedactSink(s.Sink))
	}
	if err := storage.CheckSink(s.Sink); err != nil {
		return usagef("--sink: %w", err)
	}
	if err := checkAccess(&s.Access); err != nil {
		return err
	}
	if err := checkBounds(&s.Config); err != nil {
		return err
	}
	if err := s.logging.check(); err != nil {
		return err
	}
	s.Tracing = tracing.Wanted(os.Getenv)
	return refused(s.Config.Check())
}

// refused gives what a node says of its configuration its exit code and, where there is one, the way out.
func refused(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, api.ErrNotLoopback):
		return usagef("%w; --insecure allows it", err)
	}
	return exitWith(node.ExitCode(err), err)
}
