package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"holdfast/node"
	"holdfast/stock"
	"holdfast/wal"
)

// quickLog is the length of a log that is read whole without being asked to: that takes about a second.
const quickLog = 512 << 20

func gatherContents(c *node.Config, deep bool) contents {
	var f contents
	f.identity, f.err = node.CheckDataDir(*c)
	log := filepath.Join(c.DataDir, "wal")
	f.logBytes = bytesIn(log, "*")
	if f.err != nil || f.logBytes == 0 {
		return f
	}
	if f.holder, f.holderName = holderOf(filepath.Join(log, "LOCK")); f.holder != 0 || !deep && f.logBytes > quickLog {
		return f
	}
	f.read = true
	f.readErr = wal.ReadCommands(nil, log, func(group uint32, _, _ uint64, data []byte) error {
		if group == 0 {
			return nil // the cluster's own, in another form
		}
		h, _, err := stock.PeekHeader(data)
		if err == nil { // what is no proposal is the shard's to complain about
			f.last = max(f.last, h.Clock)
		}
		return nil
	})
	if f.readErr != nil {
		return f
	}
	report, err := wal.Verify(nil, log)
	if f.readErr = err; err == nil && report.TornTail != nil {
		f.tornTail = report.TornTail.Bytes
	}
	return f
}

func judgeContents(c *node.Config, f *facts) []Check {
	const name = "identity"
	d := &f.contents
	switch {
	case d.err != nil && d.identity.NodeID != "" && d.identity.NodeID != c.NodeID:
		return []Check{fail(name, "--node-id "+d.identity.NodeID+"; or another --data-dir", "%v", d.err)}
	case errors.Is(d.err, fs.ErrPermission):
		return []Check{fail(name, "as the user that runs the node: sudo -u holdfast holdfast doctor ...", "%v", d.err)}
	case d.err != nil:
		return []Check{fail(name, "another --data-dir; or restore this one from a copy", "%v", d.err)}
	case d.identity.NodeID == "" && len(c.Join) > 0:
		return []Check{pass(name, "a new node %q would be made, and join", c.NodeID)}
	case d.identity.NodeID == "":
		return []Check{pass(name, "a new node %q would be made, and a cluster with it", c.NodeID)}
	case d.identity.ClusterID == "":
		return []Check{pass(name, "node %s has asked to join and was not taken in yet", d.identity.NodeID)}
	}
	checks := []Check{pass(name, "node %s of cluster %s, %d shards, format %d", d.identity.NodeID, d.identity.ClusterID, d.identity.Shards, d.identity.Format)}
	if d.holder != 0 {
		fix := fmt.Sprintf("kill -TERM %d, before another is started on it", d.holder)
		if d.holder < 0 {
			fix = "stop the node that serves from it, before another is started"
		}
		return append(checks, warn("in use", fix, "%s serves from it; its log is not read meanwhile", process(d.holder, d.holderName)))
	}
	return append(checks, judgeLog(c, d))
}

func judgeLog(c *node.Config, d *contents) Check {
	const name = "log"
	_, corrupt := errors.AsType[*wal.CorruptionError](d.readErr)
	switch {
	case !d.read:
		return warn(name, "holdfast doctor --deep, which reads it", "%s, not read: nobody can tell whether it is sound", size(d.logBytes))
	case corrupt || errors.Is(d.readErr, wal.ErrCorrupt):
		return fail(name, "holdfast wal verify "+c.DataDir+"; then restore the directory from a copy", "%v", d.readErr)
	case d.readErr != nil:
		return fail(name, "another --data-dir; or a build that can read it", "%v", d.readErr)
	case d.tornTail > 0:
		return pass(name, "%s, sound; the next start cuts %d bytes that were never acknowledged", size(d.logBytes), d.tornTail)
	}
	return pass(name, "%s, sound", size(d.logBytes))
}

// ServesFrom names the process that has the log of a directory of segments open, "" when there is none or the system does not tell.
func ServesFrom(wal string) string {
	id, name := holderOf(filepath.Join(wal, "LOCK"))
	if id == 0 {
		return ""
	}
	return process(id, name)
}

// process names a process for people.
func process(id int, name string) string {
	switch {
	case id <= 0:
		return "another process"
	case name == "":
		return fmt.Sprintf("process %d", id)
	}
	return fmt.Sprintf("process %d (%s)", id, name)
}
