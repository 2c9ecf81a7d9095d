package node

import (
	"errors"
	"fmt"
	"path/filepath"

	"holdfast/api"
	"holdfast/api/access"
	"holdfast/api/audit"
	"holdfast/cluster/peercert"
)

// Access says who may call and how that is guarded.
type Access struct {
	// APIKeys is the file of keys; "": everybody may call.
	APIKeys string
	// TLSCert and TLSKey are the files of the certificate and its private key; both or neither.
	TLSCert, TLSKey string
	// PeerCert, PeerKey and PeerCA are the files of this node's certificate for other nodes, of its private key, and of the authorities that
	// others must be vouched for by; all or none.
	PeerCert, PeerKey, PeerCA string
	// AuditLog is the file that takes what is asked on the admin listener; "": audit.log in the data directory.
	AuditLog string
	// AuditFileBytes bounds one file of the audit log, AuditFiles their number.
	AuditFileBytes int64
	AuditFiles     int
}

// secure reports whether other nodes meet this one under TLS.
func (a *Access) secure() bool { return a.PeerCert != "" }

// check refuses listeners that others can reach and that are not guarded: the two for callers by both TLS and keys, the peer port by certificates.
func (a *Access) check(c *Config) error {
	if (a.TLSCert == "") != (a.TLSKey == "") {
		return fmt.Errorf("%w: --tls-cert and --tls-key belong together", ErrConfig)
	}
	if a.secure() != (a.PeerKey != "") || a.secure() != (a.PeerCA != "") {
		return fmt.Errorf("%w: --peer-cert, --peer-key and --peer-ca belong together; 'holdfast cluster certs' makes all three", ErrConfig)
	}
	if a.AuditFileBytes < 0 || a.AuditFiles < 0 || a.AuditFiles == 1 {
		return fmt.Errorf("%w: the audit log needs at least 2 files", ErrConfig)
	}
	guarded := c.Insecure || a.TLSCert != "" && a.APIKeys != ""
	for _, l := range []struct {
		flag, addr string
		guarded    bool
	}{{"http", c.HTTP, guarded}, {"admin", c.Admin, guarded}, {"peer", c.Peer, c.Insecure || a.secure()}} {
		err := api.CheckListenAddr(l.addr, l.guarded)
		if errors.Is(err, api.ErrNotLoopback) && l.flag == "peer" {
			return fmt.Errorf("%w: --peer %s can be reached by others, and has no --peer-cert, --peer-key and --peer-ca: %w", ErrConfig, l.addr,
				api.ErrNotLoopback)
		}
		if err != nil {
			return fmt.Errorf("%w: --%s: %w", ErrConfig, l.flag, err)
		}
	}
	return nil
}

// openAccess reads the files of keys and certificates, before anything is touched.
func (n *Node) openAccess() (err error) {
	a := &n.cfg.Access
	if a.APIKeys != "" {
		if n.keys, err = access.LoadKeys(a.APIKeys); err != nil {
			return fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}
	if a.TLSCert != "" {
		if n.certificate, err = access.LoadCertificate(a.TLSCert, a.TLSKey); err != nil {
			return fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}
	if a.secure() {
		if n.identity, err = peercert.Load(n.cfg.NodeID, a.PeerCert, a.PeerKey, a.PeerCA); err != nil {
			return fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}
	return nil
}

func (n *Node) openAudit() (err error) {
	a := &n.cfg.Access
	path := a.AuditLog
	if path == "" {
		path = filepath.Join(n.cfg.DataDir, "audit.log")
	}
	n.audit, err = audit.Open(audit.Config{
		Path: path, FileBytes: a.AuditFileBytes, Files: a.AuditFiles, Registerer: n.registry, Logger: n.cfg.Logger,
	})
	if err != nil {
		return fmt.Errorf("node: the audit log cannot be written: free some space, or choose another place with --audit-log: %w", err)
	}
	return nil
}

// Reload reads the files of keys and certificates again. What is wrong with one leaves its old content in force.
func (n *Node) Reload() error { return errors.Join(n.server.Reload(), n.cluster.ReloadIdentity()) }
