package cli

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"holdfast/api/access"
)

func (a *app) keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "keys", Short: "Make API keys", Example: "  holdfast keys new --name shop --role order",
		Args: cobra.ArbitraryArgs, RunE: group,
	}
	cmd.AddCommand(a.newKeyCommand())
	return cmd
}

func (a *app) newKeyCommand() *cobra.Command {
	var name, role, file string
	cmd := &cobra.Command{
		Use: "new", Short: "Make a key and its entry in the file of keys", Args: exactly(),
		Example: `  holdfast keys new --name shop --role order
  holdfast keys new --name ops --role admin --key-file ops.key >> keys.yaml`,
		Long: "Make a key of 256 bits. It is printed once and kept nowhere; the entry holds its SHA-256 and goes into the file of --api-keys. With\n" +
			"--key-file the key goes into a new file that only you can read, and the entry alone is printed. Several entries may share a name: that\n" +
			"is how a key is changed without a gap, for the name is the scope of idempotency keys.",
		RunE: func(*cobra.Command, []string) error { return a.newKey(name, role, file) },
	}
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "whose key it is: 1 to 64 of A-Z a-z 0-9 . _ - (needed)")
	f.StringVar(&role, "role", "", "order: the public listener; admin: both (needed)")
	f.StringVar(&file, "key-file", "", "write the key into this new file (mode 0600) and do not print it")
	return cmd
}

func (a *app) newKey(name, roleName, file string) error {
	role, err := access.ParseRole(roleName)
	if err != nil {
		return usagef("--role is order or admin, not %q", roleName)
	}
	key, err := access.NewKey(rand.Reader)
	if err != nil {
		return err
	}
	entry, err := access.Entry(access.Caller{Name: name, Role: role}, key)
	if err != nil {
		return usagef("--name %q: %w", name, err)
	}
	if file != "" {
		if err := writeKey(file, key); err != nil {
			return err
		}
		a.note("The key is in %s, and nowhere else. Add the entry to the file of --api-keys and send the node SIGHUP.", file)
		key = ""
	} else {
		a.note("This is the only time the key is shown. Add the entry to the file of --api-keys and send the node SIGHUP.")
	}
	return a.showKey(key, entry)
}

// writeKey never replaces a file: somebody may still use the key in it.
func writeKey(path, key string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write the key: %w", err)
	}
	_, err = f.WriteString(key + "\n")
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write the key: %w", err)
	}
	return nil
}

// showKey prints the key, unless it went into a file, and the entry as it stands in the file of keys.
func (a *app) showKey(key, entry string) error {
	if a.output == "json" {
		return json.NewEncoder(a.Out).Encode(struct {
			Key   string `json:"key,omitempty"`
			Entry string `json:"entry"`
		}{key, entry})
	}
	if key != "" {
		fmt.Fprintln(a.Out, key)
	}
	_, err := fmt.Fprintln(a.Out, entry)
	return err
}
