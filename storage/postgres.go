package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// postgresSink is a PostgreSQL database that all nodes share. Every session has a connection of its own and writes only rows of its shard, so
// sessions do not wait for each other.
type postgresSink struct {
	cfg       *pgx.ConnConfig
	where     string // for errors and logs
	clusterID string
	epoch     uint16
	adopt     bool
	ancestors []string
	busy      time.Duration
	statement time.Duration
	// probe, when set, is called between the steps of a transaction and may fail them.
	probe func(at step, s Session) error
}

var _ Sink = (*postgresSink)(nil)

func newPostgres(c *Config) (*postgresSink, error) {
	if c.ClusterID == "" {
		return nil, fmt.Errorf("%w: ClusterID is missing", ErrConfig)
	}
	cfg, err := parsePostgres(c.Sink)
	if err != nil {
		return nil, err
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = c.ConnectTimeout
	}
	return &postgresSink{
		cfg: cfg, where: whereOf(cfg), clusterID: c.ClusterID, epoch: c.Epoch, adopt: c.AdoptSink, ancestors: c.Ancestors,
		busy: c.BusyTimeout, statement: c.StatementTimeout,
	}, nil
}

// whereOf says which database it is, made from its parts and not from the URL.
func whereOf(cfg *pgx.ConnConfig) string {
	return "postgres://" + net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port))) + "/" + cfg.Database
}

func (s *postgresSink) Name() string { return "postgres" }

func (s *postgresSink) Close() error { return nil }

// Connect implements Sink.
func (s *postgresSink) Connect(ctx context.Context, shard uint32) (Session, uint64, error) {
	session, err := s.dial(ctx, shard)
	if err != nil {
		return nil, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.statement)
	defer cancel()
	if err := session.open(ctx); err != nil {
		return nil, 0, errors.Join(fmt.Errorf("storage: open %s: %w", s.where, oneLine(err)), session.Close())
	}
	return session, session.since(), nil
}

// Look implements Sink.
func (s *postgresSink) Look(ctx context.Context) error {
	session, err := s.dial(ctx, 0)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.statement)
	defer cancel()
	err = session.transaction(ctx, func(tx pgx.Tx) error {
		if empty, err := session.inspect(ctx, tx); err != nil || empty {
			return err
		}
		_, err := session.other(ctx, tx)
		return err
	})
	if err = errors.Join(err, session.Close()); err != nil {
		return fmt.Errorf("storage: look at %s: %w", s.where, oneLine(err))
	}
	return nil
}

// dial connects to the server for a shard, 0 for none.
func (s *postgresSink) dial(ctx context.Context, shard uint32) (*postgresSession, error) {
	line := newLine(s.cfg.DialFunc)
	cfg := s.cfg.Copy()
	cfg.DialFunc = line.dial
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = fmt.Sprintf("holdfast shard %d", shard)
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		line.close()
		return nil, fmt.Errorf("storage: connect to %s: %w", s.where, oneLine(err))
	}
	return &postgresSession{sink: s, conn: conn, line: line, shard: shard}, nil
}

// settings are what a session asks of the server unless the URL sets it. A statement or a transaction that this process left behind ends by
// itself and gives its locks back, and so does a connection whose other end is gone.
func (s *postgresSink) settings() map[string]string {
	ms := func(d time.Duration) string { return strconv.FormatInt(max(1, d.Milliseconds()), 10) }
	settings := map[string]string{
		"lock_timeout": ms(s.busy), "statement_timeout": ms(s.statement), "idle_in_transaction_session_timeout": ms(s.statement),
		"tcp_keepalives_idle": "60", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "3", "client_encoding": "UTF8",
	}
	maps.DeleteFunc(settings, func(name, _ string) bool { _, set := s.cfg.RuntimeParams[name]; return set })
	return settings
}

// line is the network of one session. The library lets go of a connection that failed in the background, for up to 15 seconds; a session that is
// closed takes its line away, so that nothing of it is left.
type line struct {
	via pgconn.DialFunc
	up  context.Context
	cut context.CancelFunc

	mu    sync.Mutex // guards conns
	conns []net.Conn
}

func newLine(via pgconn.DialFunc) *line {
	l := &line{via: via}
	l.up, l.cut = context.WithCancel(context.Background())
	return l
}

func (l *line) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.up, cancel)()
	conn, err := l.via(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.up.Err() != nil {
		return nil, errors.Join(net.ErrClosed, conn.Close())
	}
	l.conns = append(l.conns, conn)
	return conn, nil
}

func (l *line) close() {
	l.cut()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.conns {
		_ = conn.Close() // most are closed already
	}
	l.conns = nil
}

// folded is an error of several lines shown as one, for logs. What is there twice, such as an attempt with TLS and one without, is shown once.
type folded struct{ error }

func (f folded) Error() string {
	var lines []string
	for line := range strings.Lines(f.error.Error()) {
		if line = strings.Join(strings.Fields(line), " "); line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return connecting.ReplaceAllString(strings.Join(lines, " "), "")
}

// connecting is what the library says before why it could not connect; ours says already where.
var connecting = regexp.MustCompile("^failed to connect to `[^`]*`: ")

func (f folded) Unwrap() error { return f.error }

// oneLine folds an error and names those of PostgreSQL that mean something to us.
func oneLine(err error) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && (e.Code == undefinedTable || e.Code == undefinedColumn) && !errors.Is(err, ErrForeignFile) {
		return fmt.Errorf("%w: %w", ErrSinkGone, folded{err})
	}
	return folded{err}
}

// SQLSTATE codes with a meaning of their own here.
const (
	undefinedTable  = "42P01"
	undefinedColumn = "42703"
)
