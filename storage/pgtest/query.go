package pgtest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Addr is the address the server listens on.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Dir is a directory that the server may write, gone with it.
func (s *Server) Dir(name string) string { return filepath.Join(s.dir, name) }

// WriteFile writes a file that only the server can read, and returns its path.
func (s *Server) WriteFile(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := s.Dir(name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if s.switched {
		if err := os.Chown(path, int(s.uid), int(s.gid)); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// Owner returns the user and group that the server runs as.
func (s *Server) Owner() (uid, gid int) { return int(s.uid), int(s.gid) }

// URL returns the URL of a database for the superuser, with parameters as name, value pairs.
func (s *Server) URL(database string, params ...string) string {
	return At(s.Addr(), superuser, Password, database, params...)
}

// At returns the URL of a database behind any address, for any role.
func At(addr, role, password, database string, params ...string) string {
	query := url.Values{"sslmode": {"disable"}}
	for i := 0; i < len(params); i += 2 {
		query.Set(params[i], params[i+1])
	}
	u := url.URL{Scheme: "postgres", User: url.UserPassword(role, password), Host: addr, Path: "/" + database, RawQuery: query.Encode()}
	return u.String()
}

var schemas atomic.Int64

// Schema makes an empty schema and returns its name and the URL whose search path it is.
func (s *Server) Schema(t testing.TB) (name, sink string) {
	t.Helper()
	name = fmt.Sprintf("test_%d", schemas.Add(1))
	Exec(t, s.URL("postgres"), "create schema "+name)
	return name, s.URL("postgres", "search_path", name)
}

func (s *Server) try(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// Connect opens a connection that ends with the test.
func Connect(t testing.TB, sink string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), sink)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) }) // the server may be gone by then
	return conn
}

// Exec runs statements over a connection of their own.
func Exec(t testing.TB, sink string, statements ...string) {
	t.Helper()
	conn := Connect(t, sink)
	defer func() { _ = conn.Close(context.Background()) }()
	for _, statement := range statements {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// Rows returns the rows of a query.
func Rows(t testing.TB, sink, query string) (all [][]any) {
	t.Helper()
	conn := Connect(t, sink)
	defer func() { _ = conn.Close(context.Background()) }()
	rows, err := conn.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		row, err := rows.Values()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return all
}
