package program

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

const (
	startWithin = 30 * time.Second
	stopWithin  = 30 * time.Second
	askEvery    = 20 * time.Millisecond

	portAttempts = 3
)

// Config says how a server is started.
type Config struct {
	// Name is in the directory's name and in errors; Parent is where that directory is made, "": where temporary ones are.
	Name, Parent string
	// User runs the server when we are root; "": root does. Debian is the package that makes that user.
	User, Debian string
	// Prepare, when set, makes what the server needs in its directory with programs that run as its owner.
	Prepare func(dir string, run func(path string, args ...string) error) error
	// Command returns the server's program and arguments.
	Command func(dir string, port int) (path string, args []string)
	// Answers returns nil once the server at the port answers. It is asked again until then.
	Answers func(ctx context.Context, port int) error
	// Stop is the signal that ends the server in good order.
	Stop os.Signal
}

// Server is a server that runs.
type Server struct {
	cfg  Config
	own  owner
	dir  string
	port int
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	err  error         // with done: how
}

// Start makes a directory and starts a server in it.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	own, err := ownerNamed(cfg.User, cfg.Debian)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, own: own}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", cfg.Name, err), s.Close())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	dir, err := os.MkdirTemp(s.cfg.Parent, "holdfast-"+s.cfg.Name+"-")
	if err != nil {
		return err
	}
	if s.dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if err := s.own.give(s.dir); err != nil {
		return err
	}
	if s.cfg.Prepare != nil {
		if err := s.cfg.Prepare(s.dir, s.run); err != nil {
			return err
		}
	}
	// A server that ended at once may have found its port, free a moment ago, taken. The next one is another.
	for range portAttempts {
		if err = s.try(ctx); err == nil || ctx.Err() != nil || s.running() {
			break
		}
	}
	return err
}

// run runs a program as the owner until it ends.
func (s *Server) run(path string, args ...string) error {
	if out, err := s.own.command(s.dir, path, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(path), err, out)
	}
	return nil
}

// try starts the process on a free port and waits until it answers, it has ended, or the time is up.
func (s *Server) try(ctx context.Context) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	s.port = port
	if err := s.launch(); err != nil {
		return err
	}
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		err := s.cfg.Answers(ctx, s.port)
		if err == nil {
			return nil
		}
		select {
		case <-s.done:
			return fmt.Errorf("%w: %w\n%s", err, s.err, s.said())
		case <-ctx.Done():
			return fmt.Errorf("%w\n%s", err, s.said())
		case <-tick.C:
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

// said is what the server printed.
func (s *Server) said() string {
	text, err := os.ReadFile(s.logPath())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// launch starts the process, from a thread that lives as long as it.
func (s *Server) launch() error {
	log, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	path, args := s.cfg.Command(s.dir, s.port)
	cmd, done, started := s.own.command(s.dir, path, args...), make(chan struct{}), make(chan error)
	cmd.Stdout, cmd.Stderr = log, log
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		if s.err = cmd.Wait(); s.err == nil {
			s.err = errors.New("it ended by itself")
		}
		close(done)
	}()
	if err := errors.Join(<-started, log.Close()); err != nil {
		return err
	}
	s.cmd, s.done = cmd, done
	return nil
}

func (s *Server) running() bool {
	if s.cmd == nil {
		return false
	}
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// Port is where the server listens, on 127.0.0.1.
func (s *Server) Port() int { return s.port }

// Close ends the server, in good order or, when that takes too long, at once, and removes its directory.
func (s *Server) Close() error {
	var err error
	if s.running() {
		err = s.end()
	}
	if s.dir == "" {
		return err
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

func (s *Server) end() error {
	if err := s.cmd.Process.Signal(s.cfg.Stop); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", s.cfg.Name, err)
	}
	late := time.NewTimer(stopWithin)
	defer late.Stop()
	select {
	case <-s.done:
		return nil
	case <-late.C:
	}
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", s.cfg.Name, err)
	}
	<-s.done
	return fmt.Errorf("%s did not stop within %v and was killed", s.cfg.Name, stopWithin)
}
