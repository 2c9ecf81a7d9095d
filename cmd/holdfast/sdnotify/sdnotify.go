package sdnotify

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

var (
	// ErrAddress is returned by Open for a NOTIFY_SOCKET that names no socket this package can write to.
	ErrAddress = errors.New("sdnotify: NOTIFY_SOCKET")
	// ErrWatchdog is returned by Watchdog for a WATCHDOG_USEC that is no number of microseconds.
	ErrWatchdog = errors.New("sdnotify: WATCHDOG_USEC")
	// ErrSend is returned by Send when the manager did not take a message.
	ErrSend = errors.New("sdnotify: the service manager does not take messages")
)

// SendTimeout bounds how long a send may wait for a manager that does not read.
const SendTimeout = time.Second

// maxAddress is what fits into a socket address: 108 bytes, the closing zero of a path counted.
const maxAddress = 107

// Socket is where the service manager listens. A nil Socket belongs to a process that has none.
type Socket struct{ addr net.UnixAddr }

// Open returns the socket that NOTIFY_SOCKET names in an environment, nil when it is not set. Whether somebody listens shows at the first send.
func Open(env []string) (*Socket, error) {
	name := lookup(env, "NOTIFY_SOCKET")
	switch {
	case name == "":
		return nil, nil
	case name[0] != '/' && name[0] != '@', len(name) < 2:
		return nil, fmt.Errorf("%w %q: neither an absolute path nor an abstract name", ErrAddress, name)
	case len(name) > maxAddress:
		return nil, fmt.Errorf("%w: %d bytes are too long for the name of a socket", ErrAddress, len(name))
	}
	return &Socket{net.UnixAddr{Name: name, Net: "unixgram"}}, nil
}

// Send sends one message of lines like READY=1. It connects anew each time: a manager that was started again has a new socket under the old name.
func (s *Socket) Send(lines ...string) error {
	if s == nil {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &s.addr)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSend, err)
	}
	err = conn.SetWriteDeadline(time.Now().Add(SendTimeout))
	if err == nil {
		_, err = conn.Write([]byte(strings.Join(lines, "\n")))
	}
	if err = errors.Join(err, conn.Close()); err != nil {
		return fmt.Errorf("%w: %w", ErrSend, err)
	}
	return nil
}

// The states of a service.
const (
	Ready    = "READY=1"    // it serves; also: a reload is over
	Stopping = "STOPPING=1" // it is going down
	Alive    = "WATCHDOG=1" // it is in order
)

// Reloading returns the lines that say that a reload began now. The stamp tells the manager which READY=1 ends it.
func Reloading() []string {
	return []string{"RELOADING=1", "MONOTONIC_USEC=" + strconv.FormatInt(monotonic().Microseconds(), 10)}
}

// Status returns the line that says in words how the service is; newlines in it become spaces.
func Status(text string) string {
	return "STATUS=" + strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
}

// Extend returns the line that asks for so much time from now on, for the start or the stop that is under way.
func Extend(by time.Duration) string {
	return "EXTEND_TIMEOUT_USEC=" + strconv.FormatInt(by.Microseconds(), 10)
}

func lookup(env []string, name string) (value string) {
	for _, entry := range env {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			value = v
		}
	}
	return value
}
