package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"holdfast/cluster"
	"holdfast/cluster/peercert"
)

func (a *app) certsCommand() *cobra.Command {
	var nodes []string
	var days int
	cmd := &cobra.Command{
		Use: "certs DIR", Short: "Make certificates by which nodes know each other", Args: exactly("DIR"),
		Example: `  holdfast cluster certs certs --node n1 --node n2 --node n3
  holdfast cluster certs certs --node n4 --days 90`,
		Long: "Make a development authority in DIR, unless one is there, and a certificate and a key for each node, signed by it. Files have mode 0600\n" +
			"and are never replaced: to renew a certificate, move its two files away first. A node needs its own two files and ca.crt. Whoever has\n" +
			"ca.key can make a certificate for any node: keep it off the nodes. Nothing here is special: any authority can sign a certificate with\n" +
			"the URI holdfast://node/ID among its subject alternative names, for use by servers and clients.",
		RunE: func(_ *cobra.Command, args []string) error { return a.makeCerts(args[0], nodes, days) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&nodes, "node", nil, "id of a node, as in --node-id; may be given several times (needed)")
	f.IntVar(&days, "days", 365, "how long the certificates last")
	return cmd
}

// madeCerts is the result of cluster certs.
type madeCerts struct {
	CA           string      `json:"ca"`
	CAKey        string      `json:"ca_key"`
	NewAuthority bool        `json:"new_authority"`
	Nodes        []madeNodes `json:"nodes"`
}

type madeNodes struct {
	Node     string    `json:"node"`
	Cert     string    `json:"cert"`
	Key      string    `json:"key"`
	NotAfter time.Time `json:"not_after"`
	Flags    []string  `json:"flags"`
}

func (a *app) makeCerts(dir string, nodes []string, days int) error {
	if len(nodes) == 0 {
		return usagef("--node is missing")
	}
	for _, node := range nodes {
		if err := cluster.CheckNodeID(node); err != nil {
			return usagef("--node %q: %w", node, err)
		}
	}
	if days < 1 || days > peercert.MaxDays {
		return usagef("--days must be 1 to %d", peercert.MaxDays)
	}
	made, err := peercert.Make(peercert.Request{Dir: dir, Nodes: nodes, Days: days})
	if errors.Is(err, peercert.ErrExists) {
		return fmt.Errorf("nothing was written: %w", err)
	}
	if err != nil {
		return err
	}
	result := madeCerts{CA: made.CA, CAKey: made.CAKey, NewAuthority: made.NewAuthority}
	t := table{head: []string{"NODE", "UNTIL", "START WITH"}}
	for _, n := range made.Nodes {
		flags := []string{"--node-id", n.Node, "--peer-cert", n.Cert, "--peer-key", n.Key, "--peer-ca", made.CA}
		result.Nodes = append(result.Nodes, madeNodes{Node: n.Node, Cert: n.Cert, Key: n.Key, NotAfter: n.NotAfter.UTC(), Flags: flags})
		t.rows = append(t.rows, []string{n.Node, n.NotAfter.UTC().Format(time.DateOnly), quoted(flags)})
	}
	authority := "The authority was there already"
	if made.NewAuthority {
		authority = "A new authority"
	}
	a.note("%s: %s; its key %s signs for any node: keep it off the nodes.", authority, made.CA, made.CAKey)
	return a.print(result, t)
}

// quoted joins arguments so that a shell takes them apart again.
func quoted(args []string) string {
	text := ""
	for i, arg := range args {
		if i > 0 {
			text += " "
		}
		text += shellWord(arg)
	}
	return text
}
