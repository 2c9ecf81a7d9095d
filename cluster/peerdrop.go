package cluster

import (
	"log/slog"
	"net"
	"sync"
	"time"
)

// dropEvery is how often the log has a line about connections that were dropped for one reason: strangers must not be able to fill it.
const dropEvery = time.Second

// dropLog writes of dropped connections.
type dropLog struct {
	logger *slog.Logger

	mu    sync.Mutex // guards what follows
	lines map[verdict]dropLine
}

// dropLine is the last line about one reason.
type dropLine struct {
	at      time.Time
	omitted int
}

// dropped counts a connection that was dropped, and says so in the log.
func (p *peerPort) dropped(v verdict, conn net.Conn, node string, err error) {
	p.metrics.peerDropped(v)
	select {
	case <-p.done:
		return // This node closes; that is no news about others.
	default:
	}
	p.drops.write(time.Now(), v, conn.RemoteAddr(), node, err)
}

func (l *dropLog) write(now time.Time, v verdict, from net.Addr, node string, err error) {
	l.mu.Lock()
	line, said := l.lines[v]
	if said && now.Sub(line.at) < dropEvery {
		line.omitted++
		l.lines[v] = line
		l.mu.Unlock()
		return
	}
	if l.lines == nil {
		l.lines = make(map[verdict]dropLine)
	}
	l.lines[v] = dropLine{at: now}
	l.mu.Unlock()
	args := []any{"reason", v.String(), "from", from.String()}
	if node != "" {
		args = append(args, "claims_to_be", node)
	}
	if err != nil {
		args = append(args, "error", err)
	}
	if line.omitted > 0 {
		args = append(args, "omitted", line.omitted)
	}
	l.logger.Warn("dropped a connection to the peer port", args...)
}
