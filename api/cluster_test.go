package api

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/api/audit"
	"holdfast/api/topology"
)

// Each code that a cluster may refuse with becomes a problem of its own, with the cluster's words and the way out.
func TestClusterRefusals(t *testing.T) {
	s := newShop(t)
	refused := func(r topology.Refusal) map[string]any {
		t.Helper()
		s.cluster.Refuse = r
		a := s.admin("POST /v1/cluster/balance", "")
		if a.status < 400 {
			t.Fatalf("%+v: %d %s", r, a.status, a.body)
		}
		return a.json(t)
	}
	for _, state := range topology.States {
		for _, retryable := range []bool{false, true} {
			m := refused(topology.Refusal{Code: state, Text: "node n3 is in the way", WayOut: "move it.", Retryable: retryable})
			if m["code"] != "invalid_state" || m["status"] != 409.0 || m["state"] != string(state) || m["retryable"] != retryable ||
				m["detail"] != "Node n3 is in the way. Move it." {
				t.Errorf("%s: %v", state, m)
			}
		}
	}
	for code, want := range map[topology.Code]string{
		topology.Overloaded: "overloaded", topology.NoLeader: "no_leader", topology.Draining: "draining", topology.DeadlineExceeded: "deadline_exceeded",
		topology.OutcomeUnknown: "outcome_unknown", topology.Internal: "internal", "made_up": "internal",
	} {
		m := refused(topology.Refusal{Code: code, Text: "x", Bound: "backup"})
		if m["code"] != want || want == "overloaded" && m["bound"] != "backup" {
			t.Errorf("%s: %v", code, m)
		}
	}
	m := refused(topology.Refusal{Code: topology.InvalidValue, Field: "peer", Reason: "must be host:port"})
	if m["code"] != "invalid_value" || m["field"] != "peer" || m["reason"] != "must be host:port" {
		t.Errorf("%v", m)
	}
	long := refused(topology.Refusal{Code: topology.QuorumLoss, Text: strings.Repeat(`"\`, 500), WayOut: "x"})
	if !strings.HasSuffix(long["detail"].(string), "...") || long["state"] != "quorum_loss" {
		t.Errorf("%v", long)
	}
	if m := refused(topology.Refusal{Code: topology.LastVoter}); m["detail"] == "" {
		t.Errorf("no words: %v", m)
	}
}

// What names a node, a shard or a change that is not there has a code and the way out; and so has what could not be one.
func TestClusterNotFound(t *testing.T) {
	s := newShop(t)
	for call, want := range map[string]string{
		"DELETE /v1/cluster/nodes/n9": "node_not_found", "DELETE /v1/cluster/nodes/a%00": "node_not_found",
		"DELETE /v1/cluster/nodes/" + long(65): "node_not_found", "POST /v1/cluster/shards/9/snapshot": "shard_not_found",
		"POST /v1/cluster/shards/0/transfer": "shard_not_found", "POST /v1/cluster/shards/01/transfer": "shard_not_found",
		"POST /v1/cluster/shards/-1/snapshot": "shard_not_found", "POST /v1/cluster/shards/x/transfer": "shard_not_found",
		"POST /v1/cluster/shards/4294967297/snapshot": "shard_not_found", "DELETE /v1/cluster/changes/c9": "change_not_found",
		"DELETE /v1/cluster/changes/a%00": "change_not_found",
	} {
		s.want(s.admin(call, ""), 404, want)
	}
	s.want(s.admin("POST /v1/cluster/shards/1/transfer", `{"to":"n9"}`), 404, "node_not_found")
	if m := s.want(s.admin("DELETE /v1/cluster/nodes/n9", ""), 404, "node_not_found"); !strings.Contains(m["detail"].(string), "There is no node n9. Look at") {
		t.Errorf("%v", m)
	}
	if calls := s.cluster.Calls(); len(calls) != 0 {
		t.Errorf("%q was done", calls)
	}
}

// Every change of the cluster is two lines of the audit log, with the key's name; a dry run and a look are none.
func TestClusterAudit(t *testing.T) {
	log := filepath.Join(t.TempDir(), "audit.log")
	s := newShop(t, withAudit(t, log), withKeys(t, entryOf("ops", "admin", "desk")))
	s.key = "desk"
	for _, row := range []struct {
		call, body string
		status     int
	}{
		{"PATCH /v1/cluster/settings", `{"max_nodes":9,"retention_ms":null}`, 200},
		{"POST /v1/cluster/nodes", `{"id":"n4","peer":"a:1"}`, 202},
		{"POST /v1/cluster/balance", ``, 409},
		{"DELETE /v1/cluster/changes/c1", ``, 200},
		{"DELETE /v1/cluster/nodes/n3", ``, 202},
		{"POST /v1/cluster/shards/2/transfer", `{"to":"n2"}`, 200},
		{"POST /v1/cluster/shards/2/snapshot", ``, 200},
		{"POST /v1/cluster/shards/2/rebuild", `{"node":"n2"}`, 409},
		{"POST /v1/backup", ``, 200},
	} {
		before := len(auditLines(t, log))
		if a := s.admin(row.call, row.body); a.status != row.status {
			t.Fatalf("%s: %d %s", row.call, a.status, a.body)
		}
		lines := auditLines(t, log)[before:]
		if len(lines) != 2 || lines[0].Event != audit.Asked || lines[1].Event != audit.Answered || lines[1].Status != row.status ||
			lines[0].Call != row.call || lines[0].KeyName != "ops" || string(lines[0].Change) != row.body {
			t.Errorf("%s: %+v", row.call, lines)
		}
	}
	before := len(auditLines(t, log))
	s.admin("POST /v1/cluster/nodes?dry_run=true", `{"id":"n5","peer":"a:1"}`)
	s.admin("GET /v1/cluster", "")
	s.admin("GET /v1/cluster/shards", "")
	if more := auditLines(t, log)[before:]; len(more) != 0 {
		t.Errorf("%+v", more)
	}
	want := []string{"settings", "add n4 a:1", "remove n3", "transfer 2 n2", "snapshot 2", "backup"}
	if calls := s.cluster.Calls(); !reflect.DeepEqual(calls, want) {
		t.Errorf("%q", calls)
	}
	if m := s.want(s.admin("GET /v1/cluster", ""), 200, ""); m["settings"].(map[string]any)["max_nodes"] != 9.0 {
		t.Errorf("%v", m["settings"])
	}
}

// A dry run plans and does nothing; so does a plan without steps. A change is seen until it has ended.
func TestClusterPlans(t *testing.T) {
	s := newShop(t)
	for _, call := range []string{"POST /v1/cluster/balance?dry_run=true", "DELETE /v1/cluster/nodes/n3?dry_run=true"} {
		if m := s.want(s.admin(call, ""), 200, ""); len(m["plan"].([]any)) == 0 || m["change"] != nil {
			t.Errorf("%s: %v", call, m)
		}
	}
	s.want(s.admin("POST /v1/cluster/shards/1/transfer", `{"to":"n2"}`), 200, "")
	if m := s.want(s.admin("POST /v1/cluster/balance", ""), 200, ""); len(m["plan"].([]any)) != 0 {
		t.Errorf("%v", m)
	}
	s.want(s.admin("DELETE /v1/cluster/nodes/n3?dry_run=false", ""), 202, "")
	for _, query := range []string{"dry_run", "dry_run=1", "dry_run=true&dry_run=true", "dry_run=%zz"} {
		s.want(s.admin("POST /v1/cluster/balance?"+query, ""), 400, "invalid_value")
	}
	for look := 0; ; look++ {
		m := s.want(s.admin("GET /v1/cluster", ""), 200, "")
		if changes := m["changes"].([]any); len(changes) > 0 && look < 10 {
			continue
		}
		if ended := m["ended"].([]any); len(ended) != 1 || ended[0].(map[string]any)["state"] != "completed" || look < 3 {
			t.Errorf("after %d looks: %v", look, m)
		}
		break
	}
}

// A node without a cluster has no such calls, and its document says nothing of them.
func TestNoCluster(t *testing.T) {
	s := newShop(t, func(c *Config) { c.Cluster = nil })
	for _, call := range []string{"GET /v1/cluster", "POST /v1/backup", "POST /v1/cluster/balance"} {
		s.want(s.admin(call, ""), 404, "route_not_found")
	}
	if text := string(s.server.admin.contract.json); strings.Contains(text, "/v1/cluster") || strings.Contains(text, "node_not_found") {
		t.Error("the document speaks of a cluster")
	}
	public := newShop(t)
	if strings.Contains(string(public.server.public.contract.json), "/v1/cluster") {
		t.Error("so does the public one")
	}
	public.want(public.public("GET /v1/cluster", ""), 404, "route_not_found")
}

// A backup comes whole, over a real connection; one that breaks off in the middle is an error to whoever reads it, and no end.
func TestBackupStream(t *testing.T) {
	s := newShop(t)
	s.cluster.Archive = bytes.Repeat([]byte("0123456789abcdef"), 20_000)
	server := httptest.NewServer(s.server.Admin())
	defer server.Close()
	read := func() ([]byte, error) {
		t.Helper()
		resp, err := server.Client().Post(server.URL+"/v1/backup", "application/json", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/x-tar" || resp.ContentLength != -1 {
			t.Errorf("%d %v", resp.StatusCode, resp.Header)
		}
		return io.ReadAll(resp.Body)
	}
	for range 2 {
		if got, err := read(); err != nil || !bytes.Equal(got, s.cluster.Archive) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
	s.cluster.Broken = true
	if got, err := read(); err == nil || len(got) == len(s.cluster.Archive) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	s.cluster.Broken, s.cluster.Archive = false, nil
	got, err := read()
	if first, nextErr := tar.NewReader(bytes.NewReader(got)).Next(); err != nil || nextErr != nil || first.Name != "manifest.json" {
		t.Errorf("%v, %v", err, nextErr)
	}
}

// awaited is a cluster whose backup begins when it is told to, and goes on until its context ends.
type awaited struct {
	Cluster
	begin chan struct{}
}

func (a awaited) Backup(ctx context.Context, _ string) (io.ReadCloser, topology.Refusal) {
	select {
	case <-a.begin:
	case <-ctx.Done():
	}
	read, write := io.Pipe()
	context.AfterFunc(ctx, func() { write.CloseWithError(ctx.Err()) })
	go func() {
		_, _ = write.Write([]byte("begun"))
	}()
	return read, topology.Refusal{}
}

// A backup that does not begin in time is refused, and one at a time is made; a drain ends the one that is under way.
func TestBackupIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		slow := awaited{Cluster: s.cluster, begin: make(chan struct{})}
		s.server.cfg.Cluster = slow
		s.want(s.admin("POST /v1/backup", "", "Request-Timeout-Ms: 500"), 503, "deadline_exceeded")
		close(slow.begin)
		broken := make(chan any)
		go func() {
			defer func() { broken <- recover() }()
			s.server.Admin().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/v1/backup", nil))
		}()
		synctest.Wait()
		if m := s.want(s.admin("POST /v1/backup", ""), 503, "overloaded"); m["bound"] != "backup" {
			t.Errorf("%v", m)
		}
		<-time.After(10 * time.Minute) // of the bubble's time: a backup that began has no deadline
		synctest.Wait()
		s.server.Drain()
		if got := <-broken; got != http.ErrAbortHandler {
			t.Errorf("the answer ended with %v", got)
		}
		s.want(s.admin("POST /v1/backup", ""), 503, "draining")
		synctest.Wait()
	})
}
