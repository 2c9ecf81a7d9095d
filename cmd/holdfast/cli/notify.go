package cli

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"holdfast/cmd/holdfast/sdnotify"
)

const (
	// recoveryTick is how often a node that opens says how far it is, and recoveryGrace the time it asks for each time: a manager that hears nothing
	// for so long may give it up.
	recoveryTick  = time.Second
	recoveryGrace = 30 * time.Second
	// recoveryWork is the processor time within a tick that counts as work. A recovery reads and checks the log, which costs far more; the runtime of
	// a process that waits for a disk that does not answer costs less.
	recoveryWork = 2 * time.Millisecond
	// drainMargin is what an orderly end may take beyond --drain-timeout: the connections, the log, the process.
	drainMargin = 10 * time.Second
)

// unit is the node as its service manager sees it (docs/operating.md). Without a manager it does nothing. What cannot be told is logged once and
// changes nothing.
type unit struct {
	// send takes a message; nil: there is no manager.
	send     func(lines ...string) error
	logger   *slog.Logger
	watchdog time.Duration
	// work returns the processor time that this process has used.
	work func() time.Duration

	silent sync.Once
	tasks  sync.WaitGroup
	stop   context.CancelFunc

	mu   sync.Mutex // guards step
	step string
}

// newUnit reads from the environment whom to tell. A variable that makes no sense is logged, and nobody is told.
func newUnit(env []string, logger *slog.Logger) *unit {
	u := &unit{logger: logger, work: processorTime, stop: func() {}}
	socket, err := sdnotify.Open(env)
	if err != nil {
		u.complain(err)
	}
	if socket != nil {
		u.send = socket.Send
	}
	if u.watchdog, err = sdnotify.Watchdog(env, os.Getpid()); err != nil {
		u.complain(err)
	}
	return u
}

func (u *unit) complain(err error) {
	u.silent.Do(func() { u.logger.Warn("the service manager is not told how the node is", "error", err) })
}

func (u *unit) tell(lines ...string) {
	if u.send == nil {
		return
	}
	if err := u.send(lines...); err != nil {
		u.complain(err)
	}
}

// begin runs a task until end.
func (u *unit) begin(task func(context.Context)) {
	u.end()
	if u.send == nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	u.stop = stop
	u.tasks.Go(func() { task(ctx) })
}

// end ends the task and waits for it.
func (u *unit) end() {
	u.stop()
	u.tasks.Wait()
}

// opening takes the step that the node is about to do; it is told to the manager at the next tick.
func (u *unit) opening(step string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.step = step
}

// recovering tells the manager what the node is doing until it is ready, and asks for more time as long as it really does something.
func (u *unit) recovering() {
	u.begin(func(ctx context.Context) {
		tick := time.NewTicker(recoveryTick)
		defer tick.Stop()
		told, used := "", u.work()
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			u.mu.Lock()
			step := u.step
			u.mu.Unlock()
			if step != told {
				u.tell(sdnotify.Status(step))
				told = step
			}
			now := u.work()
			if now-used >= recoveryWork {
				u.tell(sdnotify.Extend(recoveryGrace))
			}
			used = now
		}
	})
}

// ready says that the node serves. From now on the watchdog hears of it as long as pulse returns nil in time; a node that hangs stays silent.
func (u *unit) ready(status string, pulse func(context.Context) error) {
	u.end()
	u.tell(sdnotify.Ready, sdnotify.Status(status))
	if u.watchdog > 0 {
		u.begin(func(ctx context.Context) { u.watch(ctx, pulse) })
	}
}

func (u *unit) watch(ctx context.Context, pulse func(context.Context) error) {
	tick := time.NewTicker(max(u.watchdog/3, time.Millisecond))
	defer tick.Stop()
	for {
		within, cancel := context.WithTimeout(ctx, u.watchdog/3)
		err := pulse(within)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			u.logger.Error("the watchdog is not told that the node is in order", "error", err)
		default:
			u.tell(sdnotify.Alive)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// reload runs a reload between the two messages that frame it.
func (u *unit) reload(run func() error, status string) error {
	u.tell(append(sdnotify.Reloading(), sdnotify.Status("reading keys and certificate again"))...)
	err := run()
	if err != nil {
		status += "; the last reload failed, what was in force still is: " + err.Error()
	}
	u.tell(sdnotify.Ready, sdnotify.Status(status))
	return err
}

// draining says that the node is going down, and how long that may take.
func (u *unit) draining(atMost time.Duration) {
	u.tell(sdnotify.Stopping, sdnotify.Status("draining"), sdnotify.Extend(atMost+drainMargin))
}

// over says why the node ends; nil: as it was told to.
func (u *unit) over(err error) {
	u.end()
	if err != nil {
		u.tell(sdnotify.Stopping, sdnotify.Status(err.Error()))
	}
}
