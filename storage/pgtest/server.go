package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Password is the superuser's. It is long and strange, so that a test may look for it where it must not be.
const Password = "pw-8e1f_never-shown_c07d"

const (
	superuser   = "postgres"
	startWithin = 30 * time.Second
)

// Server is a PostgreSQL server of a test.
type Server struct {
	dir  string
	port int
	programs
	owner
	settings []string
	// process is nil while the server is down.
	process *process
}

type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error
}

// Start makes a database cluster and starts a server on it, which ends with the test. Settings are lines of postgresql.conf.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s := &Server{programs: find(t), owner: findOwner(t), settings: settings}
	if err := s.create(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.remove(); err != nil {
			t.Error(err)
		}
	})
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	return s
}

var shared struct {
	sync.Mutex
	server *Server
}

// Shared returns one server for all tests of a package, whose TestMain calls StopShared. It does not sync to disk: tests that need that start one.
func Shared(t testing.TB) *Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server != nil {
		return shared.server
	}
	s := &Server{programs: find(t), owner: findOwner(t), settings: []string{"fsync = off"}}
	if err := s.create(); err != nil {
		t.Fatal(err)
	}
	if err := s.start(); err != nil {
		t.Fatal(errors.Join(err, s.remove()))
	}
	shared.server = s
	return s
}

// StopShared stops the server of Shared, if any test asked for it.
func StopShared() error {
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		return nil
	}
	s := shared.server
	shared.server = nil
	return s.remove()
}

// create makes the directory. It is not the test's own, which the owner could not enter.
func (s *Server) create() (err error) {
	if s.dir, err = os.MkdirTemp("", "holdfast-postgres-"); err != nil {
		return err
	}
	if s.switched {
		if err := os.Chown(s.dir, int(s.uid), int(s.gid)); err != nil {
			return err
		}
	}
	password := filepath.Join(s.dir, "password")
	if err := os.WriteFile(password, []byte(Password+"\n"), 0o644); err != nil {
		return err
	}
	cmd := s.command(s.dir, s.initdb, "--pgdata", s.data(), "--username", superuser, "--pwfile", password, "--auth", "scram-sha-256",
		"--encoding", "UTF8", "--no-locale", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	lines := bytes.NewBufferString("listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nshared_buffers = '16MB'\nmax_connections = 60\n")
	for _, line := range s.settings {
		fmt.Fprintln(lines, line)
	}
	conf, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = lines.WriteTo(conf)
	return errors.Join(err, conf.Close())
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// Start starts the server again, on the same port, after Kill or Stop.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

// start tries again until the server answers: after a kill the last process of the one before may still be going, and a free port may be taken.
func (s *Server) start() error {
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	for fresh := s.port == 0; ; {
		if fresh {
			port, err := freePort()
			if err != nil {
				return err
			}
			s.port = port
		}
		err := s.launch()
		if err == nil {
			err = s.answers(ctx)
		}
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			log, _ := os.ReadFile(s.logPath())
			return fmt.Errorf("the server does not start: %w\n%s", err, log)
		}
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

func (s *Server) logPath() string { return filepath.Join(s.dir, "log") }

// launch starts the process, from a thread that lives as long as it.
func (s *Server) launch() error {
	log, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	p := &process{cmd: s.command(s.dir, s.postgres, "-D", s.data(), "-p", strconv.Itoa(s.port)), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.done)
		}
	}()
	if err := errors.Join(<-started, log.Close()); err != nil {
		return err
	}
	s.process = p
	return nil
}

// answers waits until a statement is answered or the process has ended.
func (s *Server) answers(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.process.done:
			return errors.Join(err, s.process.err)
		case <-tick.C:
		}
	}
}

// Kill ends every process of the server with SIGKILL, as the machine's out-of-memory killer would.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	pid := s.process.cmd.Process.Pid
	all := append([]int{pid}, children(pid)...)
	for _, p := range all {
		if err := syscall.Kill(p, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
	}
	<-s.process.done
	s.process = nil
}

// Stop shuts the server down: connections are ended, data are written.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) stop() error {
	if s.process == nil {
		return nil
	}
	if err := s.process.cmd.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.process.done
	s.process = nil
	return nil
}

func (s *Server) remove() error {
	return errors.Join(s.stop(), os.RemoveAll(s.dir))
}
