package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// The names of the listeners in metrics.
const (
	publicName = "public"
	adminName  = "admin"
)

// Server answers HTTP on two listeners. Its life: New, Serve (blocks), Drain, Shutdown.
type Server struct {
	cfg     Config
	metrics *metrics
	public  *router
	admin   *router
	// requests is told of every answer.
	requests *requestLog
	// servers are the public and the admin http.Server.
	servers [2]*http.Server
	// bodyMemory is what the bodies of requests under way take, and the answers to batches: the sum of their claims.
	bodyMemory atomic.Int64
	draining   atomic.Bool
	// backingUp: a backup is under way.
	backingUp atomic.Bool
	// serving ends with Drain.
	serving context.Context
	endIt   context.CancelFunc
}

// New returns a server that listens nowhere yet. The error wraps ErrConfig, or is the registry's.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg}
	s.serving, s.endIt = context.WithCancel(context.Background())
	if s.metrics, err = newMetrics(cfg.Registry, func() float64 { return float64(s.bodyMemory.Load()) }); err != nil {
		return nil, fmt.Errorf("api: register metrics: %w", err)
	}
	s.requests = newRequestLog(&cfg, s.metrics.suppressed)
	metricsHandler := promhttp.HandlerFor(cfg.Registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
	s.public = newRouter(s, false, orderRoutes(), probeRoutes(), contractRoute(false))
	s.admin = newRouter(s, true, skuRoutes(), s.clusterRoutes(), probeRoutes(), operationRoutes(metricsHandler), contractRoute(true))
	if err := s.describe(); err != nil {
		return nil, err
	}
	for i, handler := range []http.Handler{s.public, s.admin} {
		s.servers[i] = s.newHTTPServer(handler)
	}
	s.describeAccess()
	return s, nil
}

// newHTTPServer sets every limit that net/http leaves open. There is no ReadTimeout: it would end a request that waits for its outcome, since
// it covers the watch for a caller that hangs up; bodies have a deadline of their own (exchange.readUntil).
func (s *Server) newHTTPServer(handler http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:                      handler,
		ReadHeaderTimeout:            s.cfg.HeaderTimeout,
		WriteTimeout:                 s.cfg.BodyTimeout + MaxTimeout + answerTimeout,
		IdleTimeout:                  s.cfg.IdleTimeout,
		MaxHeaderBytes:               MaxHeaderBytes,
		Protocols:                    protocols,
		ConnState:                    connState,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug),
	}
}

// connState tells a connection what net/http says of it.
func connState(c net.Conn, state http.ConnState) {
	if bounded, ok := c.(*boundedConn); ok {
		bounded.turn(state)
	}
}

// Public returns the handler of the public listener.
func (s *Server) Public() http.Handler { return s.public }

// Admin returns the handler of the admin listener.
func (s *Server) Admin() http.Handler { return s.admin }

// Serve answers on both listeners and closes them. It returns nil after Shutdown, and otherwise when one of them fails, having shut the other.
func (s *Server) Serve(public, admin net.Listener) error {
	listeners := []*boundedListener{
		newBoundedListener(public, s.cfg.MaxConns, boundConns, s.metrics.listeners[publicName], s.cfg.Logger),
		newBoundedListener(admin, s.cfg.MaxAdminConns, boundAdminConns, s.metrics.listeners[adminName], s.cfg.Logger),
	}
	if s.cfg.Certificate != nil {
		for _, l := range listeners {
			l.tls, l.patience = s.cfg.Certificate.ServerConfig(), s.cfg.HeaderTimeout
		}
	}
	s.public.loopback.Store(loopback(public.Addr()))
	s.admin.loopback.Store(loopback(admin.Addr()))
	errs := make([]error, len(listeners))
	var wg sync.WaitGroup
	for i, l := range listeners {
		wg.Go(func() {
			errs[i] = s.servers[i].Serve(l)
			if !errors.Is(errs[i], http.ErrServerClosed) {
				s.close()
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("api: serve: %w", err)
		}
	}
	return nil
}

// Drain makes the node unready and refuses new commands with 503 draining. Reads, and what is under way, go on; a profile ends with what it has.
func (s *Server) Drain() {
	s.draining.Store(true)
	s.endIt()
	s.metrics.draining.Set(1)
}

// Shutdown drains, closes the listeners and waits for the requests under way; when the context ends first it cuts them off and returns the
// context's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Drain()
	errs := make([]error, len(s.servers))
	var wg sync.WaitGroup
	for i, server := range s.servers {
		wg.Go(func() { errs[i] = server.Shutdown(ctx) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		s.close()
		return fmt.Errorf("api: shutdown: %w", err)
	}
	return nil
}

func (s *Server) close() {
	for _, server := range s.servers {
		if err := server.Close(); err != nil {
			s.cfg.Logger.Debug("close a server", "error", err)
		}
	}
}
