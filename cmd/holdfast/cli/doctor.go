package cli

import (
	"errors"
	"fmt"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"holdfast/cmd/holdfast/doctor"
	"holdfast/node"
)

func (a *app) doctorCommand() *cobra.Command {
	var s *service
	var deep bool
	var diskTime time.Duration
	cmd := &cobra.Command{
		Use: "doctor", Short: "Examine this machine for a node, and say how to mend what is wrong", Args: exactly(),
		Example: `  holdfast doctor --data-dir /var/lib/holdfast
  sudo -u holdfast holdfast doctor --config /etc/holdfast/holdfast.yaml`,
		Long: "Examine this machine for a node. It takes the settings of serve, measures the disk, and looks at space, limits, the clock, ports,\n" +
			"certificate, keys, the database and what the data directory holds. It changes nothing, and may run beside a node that serves.\n" +
			"FAIL: the node would not start, would end, or could lose an order; WARN: it would be slow or exposed, or nobody can tell.\n" +
			"Exit code 0: nothing failed; 4: something did; 2: flags, environment or file of settings.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			// What a node would refuse about a configuration that is well-formed is a finding among the others.
			if err := s.check(); err != nil && !errors.Is(err, node.ErrConfig) {
				return err
			}
			if diskTime <= 0 {
				return usagef("--disk-time must be positive")
			}
			return a.examine(cmd, doctor.Config{Node: s.Config, Deep: deep, DiskTime: diskTime})
		},
	}
	s = serviceFlags(cmd)
	cmd.Flags().BoolVar(&deep, "deep", false, "read the whole log, however long it is")
	cmd.Flags().DurationVar(&diskTime, "disk-time", 3*time.Second, "how long the disk is measured at most")
	return cmd
}

func (a *app) examine(cmd *cobra.Command, cfg doctor.Config) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	report, err := doctor.Examine(ctx, cfg)
	if err != nil {
		return err
	}
	t := table{head: []string{"RESULT", "CHECK", "MEASURED"}}
	for _, c := range report.Checks {
		t.rows = append(t.rows, []string{string(c.Status), c.Name, c.Measured})
		if c.Fix != "" {
			t.rows = append(t.rows, []string{"", "", "fix: " + c.Fix})
		}
	}
	if err := a.print(report, t); err != nil {
		return err
	}
	if !report.Healthy {
		return exitWith(ExitCorrupt, fmt.Errorf("%d of %d checks failed", report.Failed, len(report.Checks)))
	}
	return nil
}
