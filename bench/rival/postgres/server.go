package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/jackc/pgx/v5"

	"holdfast/bench/rival/program"
	"holdfast/bench/sale"
)

const (
	superuser = "postgres"
	// debian is where Debian keeps the programs, which are not in PATH there.
	debian = "/usr/lib/postgresql/*/bin"
)

// startServer starts a server with the defaults of PostgreSQL, and what they are said once more where an acknowledgement depends on it.
func startServer(ctx context.Context, parent string, connections int) (_ *program.Server, url string, err error) {
	var initdb, postgres string
	if initdb, err = program.Find("initdb", "postgresql", debian); err != nil {
		return nil, "", err
	}
	if postgres, err = program.Find("postgres", "postgresql", debian); err != nil {
		return nil, "", err
	}
	password := rand.Text()
	urlOf := func(port int) string {
		return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/postgres", superuser, password, port)
	}
	server, err := program.Start(ctx, program.Config{
		Name: "postgres", Parent: parent, User: superuser, Debian: "postgresql", Stop: syscall.SIGINT,
		Prepare: func(dir string, run func(string, ...string) error) error {
			secret := filepath.Join(dir, "password")
			if err := os.WriteFile(secret, []byte(password+"\n"), 0o644); err != nil {
				return err
			}
			return errors.Join(run(initdb, "--pgdata", filepath.Join(dir, "db"), "--username", superuser, "--pwfile", secret,
				"--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-sync"), os.Remove(secret))
		},
		Command: func(dir string, port int) (string, []string) {
			return postgres, []string{"-D", filepath.Join(dir, "db"), "-p", fmt.Sprint(port), "-c", "listen_addresses=127.0.0.1",
				"-c", "unix_socket_directories=", "-c", fmt.Sprintf("max_connections=%d", connections+10), "-c", "fsync=on", "-c", "synchronous_commit=on"}
		},
		Answers: func(ctx context.Context, port int) error {
			conn, err := pgx.Connect(ctx, urlOf(port))
			if err != nil {
				return err
			}
			return conn.Close(ctx)
		},
	})
	if err != nil {
		return nil, "", err
	}
	return server, urlOf(server.Port()), nil
}

// describe asks the server what it is and what it promises.
func describe(ctx context.Context, conn interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}) (sale.About, error) {
	about := sale.About{Name: "postgres", Replicas: 1, Nodes: 1}
	var fsync, commit, standbys string
	const ask = `select current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit'),
		current_setting('synchronous_standby_names')`
	if err := conn.QueryRow(ctx, ask).Scan(&about.Version, &fsync, &commit, &standbys); err != nil {
		return about, fmt.Errorf("ask the server what it is: %w", err)
	}
	switch {
	case fsync != "on":
		about.Durability = "none: fsync is " + fsync
	case commit == "off":
		about.Durability = "none at the answer: synchronous_commit is off"
	default:
		about.Durability = "fsync on its one node (synchronous_commit " + commit + ")"
	}
	if standbys == "" {
		about.Durability += "; no replica"
	} else {
		about.Durability += "; synchronous standbys " + standbys
	}
	return about, nil
}
