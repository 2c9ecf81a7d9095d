package node

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// backlog is how many connections may wait to be accepted; the kernel takes the lower of this and its own bound.
const backlog = 1 << 16

// hush has a listener refuse connections until speak, and keeps its port. While a node starts, callers and balancers then go elsewhere at once; a
// connection that is accepted and not answered would hold them. On Linux a listening socket that is shut down is bound still, and may listen again.
func hush(l net.Listener) error {
	return onSocket(l, func(fd int) error { return unix.Shutdown(fd, unix.SHUT_RD) })
}

// speak ends hush. It returns an error when somebody else listens there by now.
func speak(l net.Listener) error {
	return onSocket(l, func(fd int) error { return unix.Listen(fd, backlog) })
}

func onSocket(l net.Listener, do func(fd int) error) error {
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	var done error
	if err := errors.Join(raw.Control(func(fd uintptr) { done = do(int(fd)) }), done); err != nil {
		return fmt.Errorf("%w: %v: %w", ErrListen, l.Addr(), err)
	}
	return nil
}
