package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"holdfast/cmd/holdfast/child"
	"holdfast/node"
)

// serve opens a node, says that it is ready, and drains it when told to.
func (a *app) serve(ctx context.Context, s *service) (err error) {
	u := newUnit(a.Env, s.Logger)
	defer func() { u.over(err) }()
	u.recovering()
	s.Opening = u.opening
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	hangups := make(chan os.Signal, 1)
	signal.Notify(a.hangupsTo(s, signals, hangups), syscall.SIGHUP)
	defer signal.Stop(hangups)
	n, err := open(ctx, s.Config, signals)
	if err != nil {
		return refused(err)
	}
	if n == nil {
		return nil
	}
	s.Logger.Info("serving", "http", n.Addrs().HTTP, "admin", n.Addrs().Admin, "peer", n.Addrs().Peer, "data_dir", s.DataDir)
	if err := a.announce(n.Addrs()); err != nil {
		return errors.Join(err, n.Close())
	}
	serving := fmt.Sprintf("serving on %s, administration on %s", n.Addrs().HTTP, n.Addrs().Admin)
	u.ready(serving, n.Pulse)
	for {
		select {
		case <-hangups:
			if err := u.reload(n.Reload, serving); err == nil {
				s.Logger.Info("read again what SIGHUP asks for")
			} // else the server has logged it, and goes on with what it had
		case got := <-signals:
			s.Logger.Info("draining", "signal", got.String(), "at_most", s.drainTimeout)
			u.draining(s.drainTimeout)
			return drain(n, s, signals)
		case err := <-n.Fatal():
			if code := node.ExitCode(err); code == ExitCorrupt {
				// Nothing is closed: after a log that failed there is nothing to end in order, and the reason is what counts.
				return exitWith(code, err)
			}
			return exitWith(node.ExitCode(err), errors.Join(err, n.Close()))
		}
	}
}

// hangupsTo says what SIGHUP means: read files again. Only on a terminal, with no files to read, it means what it always did there: the terminal was
// closed, and the node goes too.
func (a *app) hangupsTo(s *service, signals, hangups chan os.Signal) chan os.Signal {
	if s.Access.APIKeys == "" && s.Access.TLSCert == "" && s.Access.PeerCert == "" && isTerminal(a.Err) {
		return signals
	}
	return hangups
}

// open opens a node. A signal meanwhile gives it up, and the node is nil: nothing was promised to anybody yet.
func open(ctx context.Context, cfg node.Config, signals <-chan os.Signal) (*node.Node, error) {
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	type opened struct {
		node *node.Node
		err  error
	}
	done := make(chan opened, 1)
	go func() {
		n, err := node.Open(ctx, cfg)
		done <- opened{n, err}
	}()
	select {
	case o := <-done:
		return o.node, o.err
	case <-signals:
		giveUp()
	}
	select {
	case o := <-done:
		if o.node != nil {
			return nil, o.node.Close()
		}
		return nil, nil
	case <-signals:
		os.Exit(ExitFailed)
		return nil, nil
	}
}

// announce prints the ready line, the only thing on standard output.
func (a *app) announce(at node.Addrs) error {
	if err := json.NewEncoder(a.Out).Encode(child.Ready{Ready: true, HTTP: at.HTTP, Admin: at.Admin, Peer: at.Peer}); err != nil {
		return fmt.Errorf("print the ready line: %w", err)
	}
	return nil
}

// drain ends a node in order. To end at once is as safe, and is what a second signal asks for. What could not be flushed in time is flushed after
// the next start, so it is no failure.
func drain(n *node.Node, s *service, signals <-chan os.Signal) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.drainTimeout)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- n.Drain(ctx) }()
	select {
	case err := <-done:
		if code := node.ExitCode(err); code == ExitCorrupt {
			return exitWith(code, err)
		}
		if err != nil {
			s.Logger.Warn("not everything ended in order; the next start sees to it", "error", err)
			return nil
		}
		s.Logger.Info("drained")
		return nil
	case got := <-signals:
		s.Logger.Warn("a second signal ends the draining", "signal", got.String())
		os.Exit(ExitFailed)
		return nil
	}
}
