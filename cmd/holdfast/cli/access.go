package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"holdfast/api/audit"
	"holdfast/node"
)

// accessFlags makes the flags that say who may call. No key is ever a flag's value: arguments can be read by everybody on a machine.
func accessFlags(cmd *cobra.Command, c *node.Config) {
	f := cmd.Flags()
	f.BoolVar(&c.Insecure, "insecure", c.Insecure, "allow listeners that others can reach without both TLS and API keys, or peer certificates")
	f.StringVar(&c.Access.APIKeys, "api-keys", "", "YAML file of the API keys that may call; read again on SIGHUP")
	f.StringVar(&c.Access.TLSCert, "tls-cert", "", "PEM file of the certificate of both listeners; read again on SIGHUP")
	f.StringVar(&c.Access.TLSKey, "tls-key", "", "PEM file of its private key")
	f.StringVar(&c.Access.PeerCert, "peer-cert", "", "PEM file of this node's certificate for other nodes; read again on SIGHUP")
	f.StringVar(&c.Access.PeerKey, "peer-key", "", "PEM file of its private key")
	f.StringVar(&c.Access.PeerCA, "peer-ca", "", "PEM file of the authorities that other nodes' certificates must be signed by")
	f.StringVar(&c.Access.AuditLog, "audit-log", "", "file of the audit log (default: audit.log in the data directory)")
	f.Int64Var(&c.Access.AuditFileBytes, "audit-file-bytes", audit.DefaultFileBytes, "bytes of one file of the audit log")
	f.IntVar(&c.Access.AuditFiles, "audit-files", audit.DefaultFiles, "files of the audit log, the current one counted")
}

// checkAccess refuses bounds of the audit log that are none, and a place for it that is no file.
func checkAccess(a *node.Access) error {
	switch {
	case a.AuditFileBytes < 1:
		return usagef("--audit-file-bytes must be positive")
	case a.AuditFiles < 2:
		return usagef("--audit-files must be at least 2")
	}
	if err := audit.CheckPath(a.AuditLog); a.AuditLog != "" && errors.Is(err, audit.ErrNotRegular) {
		return usagef("--audit-log: %w: a write to a pipe or a device could wait for ever, and all changes with it", err)
	}
	return nil
}
