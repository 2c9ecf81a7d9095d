package nothing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// refusal is what every order is answered: the sale has ended. It is as long as one of ours.
const refusal = `{"type":"/problems/ended","title":"The sale has ended","status":403,` +
	`"detail":"the sale of this SKU has ended","code":"ended","retryable":false}`

// closeWithin bounds the wait for requests under way.
const closeWithin = 10 * time.Second

// Server is a listener whose handler does nothing.
type Server struct {
	http   *http.Server
	addr   string
	served chan error // what ended serving
}

// Listen serves on a free port of the loopback interface until Close.
func Listen() (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("nothing: listen: %w", err)
	}
	s := &Server{addr: l.Addr().String(), served: make(chan error, 1)}
	s.http = &http.Server{Handler: http.HandlerFunc(refuse), ReadHeaderTimeout: time.Minute}
	go func() { s.served <- s.http.Serve(l) }()
	return s, nil
}

// aboutNothing answers whoever asks what this is: a version, a cluster and shards of which nothing is known.
const aboutNothing = `{}`

// refuse reads the request to its end, as whoever decides must, and refuses it. A question is not an order.
func refuse(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return // the client has gone
	}
	h := w.Header()
	if r.Method == http.MethodGet {
		h.Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, aboutNothing)
		return
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(refusal)))
	w.WriteHeader(http.StatusForbidden)
	_, _ = io.WriteString(w, refusal) // who has gone needs no answer
}

// URL is where it listens.
func (s *Server) URL() string { return "http://" + s.addr }

// Close ends the listener and its connections.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if ended := <-s.served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}
