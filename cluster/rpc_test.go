package cluster

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/stock"
)

// testPeers opens what asks and answers on a port.
func testPeers(t *testing.T, port *peerPort) *Peers {
	t.Helper()
	p, err := newPeers(port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return p
}

// pairOfPeers are two nodes, a and b, that can ask each other.
func pairOfPeers(t *testing.T, change ...func(*Config)) (a, b *Peers, n *memNet) {
	t.Helper()
	n = newMemNet()
	return testPeers(t, testPort(t, n, "a", change...)), testPeers(t, testPort(t, n, "b", change...)), n
}

type handlerFunc func(ctx context.Context, r Request) ([]byte, error)

func (f handlerFunc) ServePeer(ctx context.Context, r Request) ([]byte, error) { return f(ctx, r) }

const (
	kindEcho RequestKind = iota + 1
	kindHold
	kindFail
	kindRefuse
	kindPanic
	kindLarge
	kindNobody
)

// serveAll serves every kind; hold holds a request until it is closed, or until the request's end.
func serveAll(p *Peers) (hold chan struct{}, held *atomic.Int64) {
	hold, held = make(chan struct{}), new(atomic.Int64)
	for kind, h := range map[RequestKind]handlerFunc{
		kindEcho: func(ctx context.Context, r Request) ([]byte, error) {
			deadline, _ := ctx.Deadline()
			return fmt.Appendf(nil, "%s/%s/%d/%s/%v", r.From, r.Caller, r.Attempt, r.Body, time.Until(deadline).Round(time.Millisecond)), nil
		},
		kindHold: func(ctx context.Context, r Request) ([]byte, error) {
			held.Add(1)
			defer held.Add(-1)
			select {
			case <-hold:
				return r.Body, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
		kindFail: func(context.Context, Request) ([]byte, error) { return nil, errBroken },
		kindRefuse: func(context.Context, Request) ([]byte, error) {
			return nil, fmt.Errorf("%w: drains", stock.ErrNotExecuted)
		},
		kindPanic: func(context.Context, Request) ([]byte, error) { panic("bug") },
		kindLarge: func(context.Context, Request) ([]byte, error) { return make([]byte, 100<<10), nil },
	} {
		p.Handle(kind, h)
	}
	return hold, held
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestARequestCarriesWhoAsksForWhomAndHowLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _ := pairOfPeers(t)
		serveAll(b)
		r := Request{Kind: kindEcho, Caller: "shop", Attempt: 3, Body: []byte("x"), From: "somebody else"}
		if answer, err := a.Call(within(t, 2*time.Second), "b", "b", r); err != nil || string(answer) != "a/shop/3/x/2s" {
			t.Errorf("%q, %v", answer, err)
		}
		if value(a.metrics.rpcConns) != 1 || value(a.metrics.rpcCalls.WithLabelValues("done")) != 1 {
			t.Error("the metrics do not say so")
		}
	})
}

// Which errors say that nothing was done, and which that something may have been: rule R18 rests on it.
func TestWhatAnErrorOfARequestSays(t *testing.T) {
	small := func(c *Config) {
		c.RPCFrameBytes, c.MaxRPCBytes, c.MaxRPCOutstanding, c.MaxRPCConns = 64<<10, 1<<20, 2, 1
	}
	for _, row := range []struct {
		name string
		ask  func(t *testing.T, a, b *Peers) error
		want error
		text string
	}{
		{"nobody listens there", func(t *testing.T, a, _ *Peers) error { return ask(t, a, "c", "c", kindEcho) }, ErrNotSent, "connection refused"},
		{"another node is there", func(t *testing.T, a, _ *Peers) error { return ask(t, a, "c", "b", kindEcho) }, ErrNotSent, "wanted c, met b"},
		{"the time is over before", func(t *testing.T, a, _ *Peers) error {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := a.Call(ctx, "b", "b", Request{Kind: kindEcho})
			return err
		}, ErrNotSent, "canceled"},
		{"too large", func(t *testing.T, a, _ *Peers) error {
			_, err := a.Call(within(t, time.Second), "b", "b", Request{Kind: kindEcho, Body: make([]byte, 64<<10)})
			return err
		}, ErrNotSent, "too large"},
		{"a long caller", func(t *testing.T, a, _ *Peers) error {
			_, err := a.Call(within(t, time.Second), "b", "b", Request{Kind: kindEcho, Caller: big(256)})
			return err
		}, ErrNotSent, "a caller of 256 bytes"},
		{"too many", func(t *testing.T, a, b *Peers) error {
			for range 2 {
				go func() { _ = ask(t, a, "b", "b", kindHold) }()
			}
			synctest.Wait()
			return ask(t, a, "b", "b", kindEcho)
		}, ErrNotSent, "2 requests wait"},
		{"closed", func(t *testing.T, a, _ *Peers) error { a.close(); return ask(t, a, "b", "b", kindEcho) }, ErrNotSent, "closed"},
		{"nobody serves it", func(t *testing.T, a, _ *Peers) error { return ask(t, a, "b", "b", kindNobody) }, ErrNotTaken, "unserved"},
		{"the handler did nothing", func(t *testing.T, a, _ *Peers) error { return ask(t, a, "b", "b", kindRefuse) }, ErrNotTaken, "drains"},
		{"the handler failed", func(t *testing.T, a, _ *Peers) error { return ask(t, a, "b", "b", kindFail) }, ErrPeerFailed, "add up"},
		{"the handler panicked", func(t *testing.T, a, _ *Peers) error { return ask(t, a, "b", "b", kindPanic) }, ErrPeerFailed, "panicked"},
		{"the answer is too large", func(t *testing.T, a, _ *Peers) error { return ask(t, a, "b", "b", kindLarge) }, ErrPeerFailed, "an answer of"},
		{"no answer in time", func(t *testing.T, a, b *Peers) error {
			stubborn := make(chan struct{})
			t.Cleanup(func() { close(stubborn) })
			b.Handle(kindHold, handlerFunc(func(context.Context, Request) ([]byte, error) { <-stubborn; return nil, nil }))
			return ask(t, a, "b", "b", kindHold)
		}, ErrMaybeSent, "deadline"},
		{"the node goes", func(t *testing.T, a, b *Peers) error {
			go func() { pass(100 * time.Millisecond); b.close() }()
			return ask(t, a, "b", "b", kindHold)
		}, ErrMaybeSent, "EOF"},
		{"this node goes", func(t *testing.T, a, b *Peers) error {
			go func() { pass(100 * time.Millisecond); a.close() }()
			return ask(t, a, "b", "b", kindHold)
		}, ErrMaybeSent, "closed"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b, _ := pairOfPeers(t, small)
				serveAll(b)
				err := row.ask(t, a, b)
				if !errors.Is(err, row.want) || !strings.Contains(err.Error(), row.text) {
					t.Errorf("%v", err)
				}
				if nothing := row.want == ErrNotSent || row.want == ErrNotTaken; isNotExecuted(err) != nothing || isUnknown(err) == nothing {
					t.Errorf("not executed %v, unknown %v: %v", isNotExecuted(err), isUnknown(err), err)
				}
			})
		})
	}
}

func ask(t *testing.T, p *Peers, node, address string, kind RequestKind) error {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := p.Call(ctx, node, address, Request{Kind: kind, Body: []byte("x")})
	return err
}

// cutConn takes so many bytes after it was armed, then fails.
type cutConn struct {
	net.Conn
	mu    sync.Mutex
	armed bool
	left  int
}

func (c *cutConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.armed {
		return c.Conn.Write(b)
	}
	n, err := c.Conn.Write(b[:min(len(b), c.left)])
	if c.left -= n; n < len(b) && err == nil {
		err = errBroken
	}
	return n, err
}

// A connection that breaks in the middle of a write: requests of which no byte left were not sent, the others may have been; and what the handler
// saw is among the latter, whatever the byte.
func TestABrokenWriteKnowsWhatHasLeft(t *testing.T) {
	frame := (&rpcFrame{body: []byte("0")}).bytes()
	for at := range 3*frame + 1 {
		synctest.Test(t, func(t *testing.T) {
			a, b, n := pairOfPeers(t)
			var seen sync.Map
			b.Handle(kindEcho, handlerFunc(func(_ context.Context, r Request) ([]byte, error) { seen.Store(string(r.Body), true); return nil, nil }))
			raw, err := n.dial("b", time.Second)
			if err != nil {
				t.Fatal(err)
			}
			cut := &cutConn{Conn: raw, left: at}
			if _, _, err := a.stream.port.introduce(cut, "b", streamKey{kind: streamRPC}); err != nil {
				t.Fatal(err)
			}
			cut.armed = true
			pc := newPeerConn(cut, a.stream, "b", false)
			conn := newRPCConn(a, pc)
			calls := make([]*rpcCall, 3)
			for i := range calls { // Queued before the writer runs: one write for all.
				calls[i] = &rpcCall{request: &Request{Kind: kindEcho, Body: fmt.Append(nil, i)}, settled: make(chan rpcOutcome, 1)}
				if err := conn.enqueue(calls[i]); err != nil {
					t.Fatal(err)
				}
			}
			done := make(chan struct{})
			go func() { conn.run(); close(done) }()
			for i, call := range calls {
				o := <-call.settled
				_, executed := seen.Load(fmt.Sprint(i))
				if begun := at > i*frame; errors.Is(o.err, ErrNotSent) == begun || o.err != nil && errors.Is(o.err, ErrMaybeSent) != begun {
					t.Errorf("cut at %d, request %d: %v", at, i, o.err)
				}
				if executed && errors.Is(o.err, ErrNotSent) {
					t.Errorf("cut at %d, request %d was executed", at, i)
				}
				if at >= 3*frame && o.err != nil {
					t.Errorf("vacuous: nothing was cut, and %v", o.err)
				}
			}
			conn.kill(ErrClosed)
			<-done
		})
	}
}

func TestAnswersComeInAnyOrderAndCancelledRequestsEndThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _ := pairOfPeers(t, func(c *Config) { c.MaxRPCConns = 1 })
		hold, held := serveAll(b)
		slow := make(chan error, 1)
		go func() {
			_, err := a.Call(within(t, time.Minute), "b", "b", Request{Kind: kindHold})
			slow <- err
		}()
		ctx, cancel := context.WithCancel(t.Context())
		cancelled := make(chan error, 1)
		go func() {
			_, err := a.Call(ctx, "b", "b", Request{Kind: kindHold})
			cancelled <- err
		}()
		synctest.Wait()
		if held.Load() != 2 {
			t.Fatalf("%d held", held.Load())
		}
		for range 100 { // Behind two that take long, over one connection.
			if err := ask(t, a, "b", "b", kindEcho); err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		if err := <-cancelled; !errors.Is(err, ErrMaybeSent) || !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		synctest.Wait()
		if held.Load() != 1 {
			t.Error("the handler was not told")
		}
		close(hold)
		if err := <-slow; err != nil {
			t.Error(err)
		}
		if n := value(a.metrics.rpcConns); n != 1 {
			t.Errorf("%v connections", n)
		}
	})
}

// A node that takes connections and never reads, beside one that is not there at all: requests to a third do not notice.
func TestADeadPeerHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, n := pairOfPeers(t)
		serveAll(b)
		mute := n.listen("mute")
		defer func() { _ = mute.Close() }()
		go func() {
			for {
				conn, err := mute.Accept()
				if err != nil {
					return
				}
				t.Cleanup(func() { _ = conn.Close() })
			}
		}()
		results := make(chan error, 20)
		for range 10 {
			go func() { results <- ask(t, a, "mute", "mute", kindEcho) }()
			go func() { results <- ask(t, a, "gone", "gone", kindEcho) }()
		}
		start := time.Now()
		for range 100 {
			if err := ask(t, a, "b", "b", kindEcho); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took > 10*time.Millisecond {
			t.Errorf("requests to a live node took %v", took)
		}
		for range 20 {
			if err := <-results; !errors.Is(err, ErrNotSent) {
				t.Error(err)
			}
		}
	})
}

func TestRedialsWaitAndANodeThatIsBackIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		var dials atomic.Int64
		a := testPeers(t, testPort(t, n, "a", func(c *Config) {
			c.Dial = func(_ context.Context, address string, timeout time.Duration) (net.Conn, error) {
				dials.Add(1)
				return n.dial(address, timeout)
			}
		}))
		start := time.Now()
		for time.Since(start) < time.Minute {
			if err := ask(t, a, "b", "b", kindEcho); !errors.Is(err, ErrNotSent) || !strings.Contains(err.Error(), "refused") {
				t.Fatal(err)
			}
			pass(time.Millisecond)
		}
		if n := dials.Load(); n < 10 || n > 30 {
			t.Errorf("%d dials in a minute", n)
		}
		b := testPeers(t, testPort(t, n, "b"))
		serveAll(b)
		eventually(t, "it is found", func() bool { return ask(t, a, "b", "b", kindEcho) == nil })
		b.Handle(kindEcho, nil)
		if err := ask(t, a, "b", "b", kindEcho); !errors.Is(err, ErrNotTaken) {
			t.Errorf("a kind that is served no more: %v", err)
		}
	})
}

// A peer that vanishes without a word takes its requests with it after a few pings; and the one that asks, vanished, frees the other's side.
func TestASilentConnectionIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		var cut atomic.Bool
		a := testPeers(t, testPort(t, n, "a", func(c *Config) {
			c.Dial = func(_ context.Context, address string, timeout time.Duration) (net.Conn, error) {
				conn, err := n.dial(address, timeout)
				return &blackHole{Conn: conn, cut: &cut}, err
			}
		}))
		b := testPeers(t, testPort(t, n, "b"))
		_, held := serveAll(b)
		result := make(chan error, 1)
		go func() {
			_, err := a.Call(within(t, time.Minute), "b", "b", Request{Kind: kindHold})
			result <- err
		}()
		pass(10 * time.Second) // Idle but alive: nothing happens.
		if held.Load() != 1 {
			t.Fatal("an idle connection was dropped")
		}
		cut.Store(true)
		start := time.Now()
		if err := <-result; !errors.Is(err, ErrMaybeSent) || !errors.Is(err, errSilent) {
			t.Errorf("%v", err)
		}
		if took := time.Since(start); took > 6*time.Second {
			t.Errorf("noticed after %v", took)
		}
		eventually(t, "the other side lets go", func() bool { return held.Load() == 0 && value(b.metrics.peerConns) == 0 })
		if drops(b.stream.port, verdictSilent) != 1 {
			t.Error("not counted as silent")
		}
	})
}

// blackHole swallows what is written once it is cut, and keeps the connection open.
type blackHole struct {
	net.Conn
	cut *atomic.Bool
}

func (c *blackHole) Write(b []byte) (int, error) {
	if c.cut.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *blackHole) Close() error {
	if c.cut.Load() {
		_ = c.Conn.SetReadDeadline(time.Now()) // Only this end notices.
		return nil
	}
	return c.Conn.Close()
}

func TestBoundsOfWhoAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		a := testPeers(t, testPort(t, n, "a", func(c *Config) { c.MaxRPCConns = 1 }))
		b := testPeers(t, testPort(t, n, "b", func(c *Config) { c.MaxRPCOutstanding, c.RPCFrameBytes, c.MaxRPCBytes = 8, 1<<10, 2<<10 }))
		hold, held := serveAll(b)
		results := make(chan error, 20)
		begin := func(count, size int) {
			for range count {
				go func() {
					_, err := a.Call(within(t, time.Minute), "b", "b", Request{Kind: kindHold, Body: make([]byte, size)})
					results <- err
				}()
			}
			synctest.Wait()
		}
		begin(12, 1) // The other end holds 8 and answers the rest at once.
		for range 4 {
			if err := <-results; !errors.Is(err, ErrNotTaken) || !strings.Contains(err.Error(), "overloaded") {
				t.Error(err)
			}
		}
		if held.Load() != 8 || value(b.metrics.rpcBound.WithLabelValues("rpc_outstanding")) != 4 {
			t.Errorf("%d held", held.Load())
		}
		close(hold)
		for range 8 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		again, held := serveAll(b)
		begin(4, 900) // Two fit into memory.
		for range 2 {
			if err := <-results; !errors.Is(err, ErrNotTaken) {
				t.Error(err)
			}
		}
		if held.Load() != 2 || value(b.metrics.rpcBound.WithLabelValues("rpc_bytes")) != 2 {
			t.Errorf("%d held", held.Load())
		}
		close(again)
		<-results
		<-results
		synctest.Wait()
		if b.budget.left != b.cfg.MaxRPCBytes {
			t.Errorf("%d bytes were not given back", b.cfg.MaxRPCBytes-b.budget.left)
		}
		if _, err := a.Call(within(t, time.Second), "b", "b", Request{Kind: kindEcho, Body: make([]byte, 2<<10)}); !errors.Is(err, ErrMaybeSent) {
			t.Errorf("a frame that the other end takes for too large: %v", err)
		}
		if drops(b.stream.port, verdictFrame) != 1 {
			t.Error("the frame was not counted")
		}
	})
}

func TestAsManyNodesAsTheBoundAndForgottenOnesMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _ := pairOfPeers(t, func(c *Config) { c.MaxRPCPeers = 2 })
		serveAll(b)
		if err := ask(t, a, "", "b", kindEcho); err != nil { // Whoever is there.
			t.Fatal(err)
		}
		if err := ask(t, a, "b", "b", kindEcho); err != nil {
			t.Fatal(err)
		}
		if err := ask(t, a, "c", "c", kindEcho); !errors.Is(err, ErrNotSent) || !errors.Is(err, ErrPeerBound) {
			t.Errorf("a third: %v", err)
		}
		a.Forget("", "b")
		if err := ask(t, a, "c", "c", kindEcho); errors.Is(err, ErrPeerBound) {
			t.Errorf("after one was forgotten: %v", err)
		}
		// A node that moved: the old address is given up, also for the bound.
		if err := ask(t, a, "b", "elsewhere", kindEcho); errors.Is(err, ErrPeerBound) || !errors.Is(err, ErrNotSent) {
			t.Errorf("at another address: %v", err)
		}
		synctest.Wait()
		if n := value(a.metrics.rpcConns); n != 0 {
			t.Errorf("%v connections to where nobody is asked any more", n)
		}
	})
}

// Three nodes over loopback sockets with certificates, each asking both others from many goroutines at once.
func TestRequestsUnderLoadOverTLS(t *testing.T) {
	ports := tlsPorts(t, "a", "b", "c")
	var peers []*Peers
	for _, port := range ports {
		p := testPeers(t, port)
		serveAll(p)
		peers = append(peers, p)
	}
	var wg sync.WaitGroup
	var answered atomic.Int64
	for i, from := range peers {
		for j, to := range peers {
			for worker := range 4 {
				if i == j {
					continue
				}
				wg.Go(func() {
					for k := range 50 {
						body := fmt.Sprintf("%d-%d-%s", worker, k, big(k*100))
						ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
						answer, err := from.Call(ctx, to.cfg.NodeID, to.cfg.Advertise, Request{Kind: kindEcho, Caller: "shop", Body: []byte(body)})
						cancel()
						if want := fmt.Sprintf("%s/shop/0/%s/", from.cfg.NodeID, body); err != nil || !strings.HasPrefix(string(answer), want) {
							t.Errorf("%.80q, %v", answer, err)
							return
						}
						answered.Add(1)
					}
				})
			}
		}
	}
	wg.Wait()
	if answered.Load() != 6*4*50 {
		t.Errorf("%d answers", answered.Load())
	}
}

// The wire, byte for byte: whoever changes it changes the version and adds a file.
func TestPeerPortGolden(t *testing.T) {
	head := peerHead{key: streamKey{kind: streamRPC, shard: 7}, cluster: [16]byte{1, 2, 3, 15: 16}, node: "n1"}
	request := rpcFrame{typ: frameRequest, kind: 9, id: 0x0102030405060708, left: 1500 * time.Millisecond, attempt: 2, caller: "shop", body: []byte("body")}
	answer := rpcFrame{typ: frameAnswer, kind: uint16(statusNotExecuted), id: 3, body: []byte("why")}
	for name, b := range map[string][]byte{
		"peer-head-v2": head.append(nil), "peer-answer-v2": appendAnswer(appendAnswer(nil, verdictAccepted, "n2"), verdictCluster, "n2"),
		"peer-frame-v1": (&rpcFrame{typ: framePing}).append(answer.append(request.append(nil))),
	} {
		golden, err := os.ReadFile("testdata/" + name + ".hex")
		if got := hex.EncodeToString(b) + "\n"; err != nil || string(golden) != got {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
	if got, v := readPeerHead(bytes.NewReader(head.append(nil)), head.cluster); v != verdictAccepted || got != head {
		t.Errorf("%+v, %v", got, v)
	}
}

func readFrames(b []byte, limit int64) (frames []rpcFrame, err error) {
	r := newFrameReader(bytes.NewReader(b), limit)
	for {
		f, size, err := r.begin()
		if err == nil {
			err = r.end(&f, size)
		}
		if err != nil {
			return frames, err
		}
		frames = append(frames, f)
	}
}

func TestEveryFlippedBitOfAFrameIsNoticed(t *testing.T) {
	good := (&rpcFrame{typ: frameRequest, kind: 1, id: 2, left: time.Second, attempt: 1, caller: "shop", body: []byte("body")}).append(nil)
	if frames, err := readFrames(good, 1<<20); err != io.EOF || len(frames) != 1 || frames[0].left != time.Second || frames[0].caller != "shop" {
		t.Fatalf("%+v, %v", frames, err)
	}
	for i := range len(good) * 8 {
		bad := bytes.Clone(good)
		bad[i/8] ^= 1 << (i % 8)
		if frames, err := readFrames(bad, 1<<20); err == io.EOF || len(frames) != 0 {
			t.Errorf("bit %d: %+v, %v", i, frames, err)
		}
		if r := newFrameReader(bytes.NewReader(bad), 1<<20); true {
			if _, size, err := r.begin(); err == nil && r.skip(size) == nil {
				t.Errorf("bit %d: skipped as if it were sound", i)
			}
		}
	}
	for n := range len(good) {
		if frames, err := readFrames(good[:n], 1<<20); len(frames) != 0 || err == nil || err == io.EOF && n > 0 && n >= rpcHeadBytes {
			t.Errorf("%d bytes: %+v, %v", n, frames, err)
		}
	}
}

func FuzzPeerFrame(f *testing.F) {
	f.Add((&rpcFrame{typ: frameRequest, kind: 1, id: 2, left: time.Second, caller: "c", body: []byte("body")}).append(nil))
	f.Add((&rpcFrame{typ: framePong}).append((&rpcFrame{typ: frameAnswer, id: 1}).append(nil)))
	f.Fuzz(func(t *testing.T, b []byte) {
		frames, err := readFrames(b, 1<<16)
		if err == nil {
			t.Fatal("a stream without an end")
		}
		var again []byte
		for _, frame := range frames {
			again = frame.append(again)
		}
		if !bytes.HasPrefix(b, again) {
			t.Errorf("%x is read as %x", b, again)
		}
	})
}

func BenchmarkRequest(b *testing.B) {
	for _, size := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			a, to := benchPeers(b)
			body := make([]byte, size)
			b.SetParallelism(32)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := a.Call(b.Context(), "b", to, Request{Kind: kindEcho, Body: body}); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
