package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"holdfast/stock"
)

// backupPartBytes is what of a backup is in memory at a time.
const backupPartBytes = 64 << 10

// backup answers POST /v1/backup with a stream. The caller's deadline counts until it begins; from then on a caller that reads may take its time, and
// a drain ends it. One at a time, since each reads all there is.
func (x *exchange) backup() *problem {
	body, p := x.nothing()
	if p != nil {
		return p
	}
	if !x.s.backingUp.CompareAndSwap(false, true) {
		return &problem{code: stock.Overloaded, detail: &stock.Detail{Bound: boundBackup}}
	}
	defer x.s.backingUp.Store(false)
	if p := x.intend("", body); p != nil {
		return p
	}
	ctx, cancel := context.WithCancel(x.r.Context())
	defer cancel()
	defer context.AfterFunc(x.s.serving, cancel)()
	late := time.AfterFunc(x.timeout, cancel)
	defer late.Stop()
	x.asked = x.s.cfg.Now()
	stream, refused := x.s.cfg.Cluster.Backup(ctx, x.caller())
	x.answered = x.s.cfg.Now()
	if p := clusterProblem(&refused); p != nil {
		return p
	}
	defer stream.Close()
	part := make([]byte, backupPartBytes)
	n, err := io.ReadAtLeast(stream, part, 1)
	switch {
	case !late.Stop():
		return &problem{code: stock.DeadlineExceeded}
	case x.s.draining.Load():
		return &problem{code: stock.Draining}
	case err != nil:
		x.note(slog.LevelError, "a backup did not begin", slog.Any("error", err))
		return &problem{code: stock.Internal}
	}
	x.w.Header()["Content-Type"] = contentTar
	if x.audited {
		x.account(http.StatusOK)
	}
	x.status = http.StatusOK
	x.w.WriteHeader(x.status)
	x.stream(stream, part, n)
	return nil
}

var contentTar = []string{"application/x-tar"}

// stream writes the first n bytes of part and what follows them. When it cannot be finished the answer breaks off, so that it has no end.
func (x *exchange) stream(from io.Reader, part []byte, n int) {
	x.handed = true
	control := http.NewResponseController(x.w)
	for {
		// Each part has its own time to be taken; the answer as a whole has none.
		if err := control.SetWriteDeadline(time.Now().Add(answerTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			x.breakOff(err)
			return
		}
		written, err := x.w.Write(part[:n])
		x.sent += written
		if err != nil {
			x.breakOff(err)
			return
		}
		if n, err = io.ReadAtLeast(from, part, 1); err == io.EOF {
			return
		} else if err != nil {
			x.breakOff(err)
			return
		}
	}
}

func (x *exchange) breakOff(err error) {
	x.cut = true
	x.note(slog.LevelWarn, "a backup broke off", slog.Any("error", err), slog.Int("sent_bytes", x.sent))
}
