package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"holdfast/api/client"
)

const (
	defaultAddr      = "http://127.0.0.1:8080"
	defaultAdminAddr = "http://127.0.0.1:8081"
)

// remote is how a node is reached.
type remote struct {
	addr, adminAddr string
	timeout         time.Duration
	credentials
}

// public adds the flags of commands that talk to the public listener.
func (r *remote) public(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&r.addr, "addr", defaultAddr, "address of the public listener")
	r.common(cmd)
}

// admin adds the flags of commands that talk to the admin listener.
func (r *remote) admin(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&r.adminAddr, "admin-addr", defaultAdminAddr, "address of the admin listener")
	r.common(cmd)
}

func (r *remote) common(cmd *cobra.Command) {
	r.credentials.flags(cmd)
	cmd.PersistentFlags().DurationVar(&r.timeout, "timeout", client.DefaultTimeout, "how long to wait for an answer")
}

// call makes one call with a client of its own and gives its error the exit code it deserves.
func (r *remote) call(ctx context.Context, do func(context.Context, *client.Client) error) error {
	return r.stream(ctx, func(ctx context.Context, c *client.Client) error {
		ctx, cancel := context.WithTimeout(ctx, r.timeout)
		defer cancel()
		return do(ctx, c)
	})
}

// stream is a call of which only the beginning has to come in time.
func (r *remote) stream(ctx context.Context, do func(context.Context, *client.Client) error) error {
	if r.timeout <= 0 {
		return usagef("--timeout must be positive")
	}
	cfg := client.Config{Addr: r.addr, AdminAddr: r.adminAddr, MaxConns: 1, Timeout: r.timeout}
	if err := r.apply(&cfg); err != nil {
		return err
	}
	c, err := client.New(cfg)
	if err != nil {
		return exitWith(ExitUsage, err)
	}
	defer c.Close()
	err = do(ctx, c)
	if wrongListener(err) && r.adminAddr != "" {
		err = fmt.Errorf("%w Is %s the node's admin listener? --admin-addr names it", err, r.adminAddr)
	}
	return remoteError(err)
}

// wrongListener reports whether a node answered that does not know the route: the other listener, most likely.
func wrongListener(err error) bool {
	p, ok := errors.AsType[*client.Problem](err)
	return ok && p.Code == "route_not_found"
}

// remoteError is exit 3 when no node could be reached, a TLS that does not come about included: nothing was asked of anybody. Else it is 1: an
// answer that was lost is not "cannot reach", since something may have happened.
func remoteError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, client.ErrAddr):
		return exitWith(ExitUsage, err)
	case neverSent(err):
		return exitWith(ExitUnreachable, err)
	}
	return exitWith(ExitFailed, err)
}

// neverSent reports whether no request left, and not because somebody pressed Ctrl-C.
func neverSent(err error) bool {
	none, ok := errors.AsType[*client.NoAnswer](err)
	return ok && !none.Sent && !errors.Is(err, context.Canceled)
}

// keyOr returns the key that was given, or makes one and says so before anything is sent: without it a lost answer could not be asked for.
func (a *app) keyOr(key string) (string, error) {
	if key != "" {
		return key, nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return "", err
	}
	a.note("idempotency key: %s", id)
	return id.String(), nil
}
