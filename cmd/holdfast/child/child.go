package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

var (
	// ErrNotReady is returned by Start when the process ended, or the context did, before the ready line.
	ErrNotReady = errors.New("child: the node did not become ready")
	// ErrStopTimeout is returned by Stop when the process had to be killed because it did not drain in time.
	ErrStopTimeout = errors.New("child: the node did not stop in time")
)

// waitDelay is how long a process that has ended may leave its standard error open to others.
const waitDelay = time.Second

// Node is a running node.
type Node struct {
	// Ready is what the node printed when it could serve.
	Ready Ready
	// Took is how long that was from its start.
	Took time.Duration

	process *os.Process
	tail    *tail
	done    chan struct{} // closed when the process has ended
	code    int           // its exit code, -1 for a signal; set before done is closed
}

// Start runs program with args and waits for its ready line. What the node writes to standard error goes to log as well, when that is not nil.
func Start(ctx context.Context, program string, args []string, log io.Writer) (*Node, error) {
	n := &Node{tail: newTail(log), done: make(chan struct{})}
	out, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("child: %w", err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = in, n.tail
	cmd.WaitDelay = waitDelay
	tie(cmd)
	begin, began := time.Now(), make(chan error, 1)
	go n.run(cmd, in, began)
	if err := <-began; err != nil {
		return nil, errors.Join(fmt.Errorf("child: start %s: %w", program, err), out.Close())
	}
	lines := make(chan readyOr, 1)
	go readReady(out, lines)
	select {
	case line := <-lines:
		if err = line.err; err == nil {
			n.Ready, n.Took = line.ready, time.Since(begin)
			return n, nil
		}
	case <-ctx.Done():
		err = ctx.Err()
	}
	n.Kill()
	return nil, fmt.Errorf("%w (exit code %d): %w\n%s", ErrNotReady, n.code, err, n.tail.text())
}

// run starts the process and waits for it on one thread: on Linux the process dies with the thread that started it.
func (n *Node) run(cmd *exec.Cmd, in *os.File, began chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Start()
	_ = in.Close() // the child has its own copy
	if err != nil {
		began <- err
		return
	}
	n.process = cmd.Process
	began <- nil
	// What Wait says is in the process state too.
	_ = cmd.Wait()
	n.code = cmd.ProcessState.ExitCode()
	close(n.done)
}

// Done is closed when the process has ended.
func (n *Node) Done() <-chan struct{} { return n.done }

// ExitCode returns how a process ended that is done: its exit code, -1 when a signal ended it.
func (n *Node) ExitCode() int { return n.code }

// PID returns the id of the process.
func (n *Node) PID() int { return n.process.Pid }

// Log returns the last of what the node wrote to standard error.
func (n *Node) Log() string { return n.tail.text() }

// Kill ends the process at once and returns when it is gone. It may be called again.
func (n *Node) Kill() {
	// Somebody who is gone already cannot be killed, which is as good.
	_ = n.process.Kill()
	<-n.done
}

// Stop drains the node with SIGTERM and returns its exit code. When the context ends first the node is killed.
func (n *Node) Stop(ctx context.Context) (int, error) {
	if err := n.process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		n.Kill()
		return n.code, fmt.Errorf("child: %w", err)
	}
	select {
	case <-n.done:
		return n.code, nil
	case <-ctx.Done():
		n.Kill()
		return n.code, ErrStopTimeout
	}
}
