package postgres_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"holdfast/bench/rival/postgres"
	"holdfast/bench/rival/program"
	"holdfast/bench/rival/rivaltest"
	"holdfast/internal/programtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, cfg postgres.Config) *postgres.Target {
	t.Helper()
	target, err := postgres.Open(t.Context(), cfg)
	if errors.Is(err, program.ErrMissing) {
		programtest.Missing(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func TestSale(t *testing.T) {
	target := open(t, postgres.Config{Connections: 8})
	t.Run("steps", func(t *testing.T) { rivaltest.Run(t, target) })
	const durable = "fsync on its one node (synchronous_commit on); no replica"
	if about := target.About(); about.Durability != durable || about.Replicas != 1 {
		t.Errorf("%+v", about)
	}
	guest := open(t, postgres.Config{URL: target.URL(), Style: postgres.OneStatement, Connections: 8})
	t.Run("one statement", func(t *testing.T) { rivaltest.Run(t, guest) })
	if n := schemas(t, target.URL()); n != 2 {
		t.Errorf("%d schemas of ours, want 2", n)
	}
	if err := guest.Close(); err != nil {
		t.Error(err)
	}
	if n := schemas(t, target.URL()); n != 1 {
		t.Errorf("%d schemas of ours once the guest has gone, want 1", n)
	}
	if err := target.Close(); err != nil {
		t.Error(err)
	}
}

func schemas(t *testing.T, url string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	const ask = "select count(*) from pg_namespace where nspname like 'holdfast\\_bench\\_%'"
	if err := conn.QueryRow(t.Context(), ask).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNobodyThere(t *testing.T) {
	if _, err := postgres.Open(t.Context(), postgres.Config{URL: "postgres://127.0.0.1:1/none"}); err == nil {
		t.Error("a server that is not there was opened")
	}
}
