package cli

import (
	"crypto/x509"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/api/client"
)

// keyVariable holds the API key itself, for those who keep secrets in the environment. There is no flag of this name.
const keyVariable = envPrefix + "API_KEY"

// credentials are what a call shows of its caller, and what it believes of the server.
type credentials struct {
	keyFile, caFile string
	// env is the environment.
	env []string
}

func (c *credentials) flags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&c.keyFile, "api-key-file", "", "file that holds the API key (or the key itself in "+keyVariable+")")
	f.StringVar(&c.caFile, "ca", "", "PEM file of the certificates that vouch for the server (default: the system's)")
}

// apply adds the key and the authorities to a client's configuration. No error repeats a key.
func (c *credentials) apply(to *client.Config) error {
	key, err := c.key()
	if err != nil {
		return err
	}
	to.APIKey = key
	if c.caFile == "" {
		return nil
	}
	pem, err := os.ReadFile(c.caFile)
	if err != nil {
		return usagef("--ca: %w", err)
	}
	to.RootCAs = x509.NewCertPool()
	if !to.RootCAs.AppendCertsFromPEM(pem) {
		return usagef("--ca %s: there is no certificate in it", c.caFile)
	}
	return nil
}

// key returns the key of the file, else that of the environment, else none.
func (c *credentials) key() (string, error) {
	if c.keyFile == "" {
		for _, entry := range c.env {
			if key, ok := strings.CutPrefix(entry, keyVariable+"="); ok {
				return key, nil
			}
		}
		return "", nil
	}
	f, err := os.Open(c.keyFile)
	if err != nil {
		return "", usagef("--api-key-file: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return "", usagef("--api-key-file: %w", err)
	}
	key := strings.TrimSpace(string(text))
	if key == "" || strings.ContainsAny(key, " \t\r\n") {
		return "", usagef("--api-key-file %s: it must hold one key and nothing else", c.keyFile)
	}
	return key, nil
}
