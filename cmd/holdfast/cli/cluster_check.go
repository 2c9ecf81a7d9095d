package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/api/client"
	"holdfast/api/topology"
)

// tolerance is what a cluster may be off by and still be well.
type tolerance struct {
	flushLag, clockSkew time.Duration
	// now is when the cluster was looked at.
	now time.Time
}

// stuckAfter is how long a change may run before somebody should look at it.
const stuckAfter = 30 * time.Minute

// checked is what cluster check prints as JSON.
type checked struct {
	Healthy bool      `json:"healthy"`
	Checks  []finding `json:"checks"`
}

// finding is a line of a check.
type finding struct {
	Check  string `json:"check"`
	Pass   bool   `json:"pass"`
	Detail string `json:"detail"`
}

func (a *app) clusterCheckCommand(r *remote) *cobra.Command {
	var within tolerance
	cmd := &cobra.Command{
		Use: "check", Short: "Say whether the cluster is as it should be", Args: exactly(), Example: "  holdfast cluster check",
		Long: "Say whether the cluster is as it should be, a line for each thing that was looked at, PASS or FAIL. Exit code 4 when one fails, 3 when no node\n" +
			"can be reached. It changes nothing. While replicas move some lines fail that pass afterwards.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if within.flushLag < 0 || within.clockSkew < 0 {
				return usagef("--max-flush-lag and --max-clock-skew must not be negative")
			}
			var o topology.Overview
			var shards []topology.Shard
			err := r.call(cmd.Context(), func(ctx context.Context, c *client.Client) (err error) {
				if o, err = c.Cluster(ctx); err == nil {
					shards, err = c.Shards(ctx)
				}
				return err
			})
			if err != nil {
				return err
			}
			within.now = time.Now()
			return a.showCheck(checkCluster(o, shards, within))
		},
	}
	f := cmd.Flags()
	f.DurationVar(&within.flushLag, "max-flush-lag", time.Minute, "how far storage may be behind")
	f.DurationVar(&within.clockSkew, "max-clock-skew", 500*time.Millisecond, "how far the clocks of two nodes may be apart")
	return cmd
}

// errUnhealthy is the end of a check that failed; the lines that failed stand behind it.
var errUnhealthy = errors.New("the cluster is not as it should be")

func (a *app) showCheck(found []finding) error {
	result := checked{Healthy: true, Checks: found}
	t := table{head: []string{"CHECK", "VERDICT", "DETAIL"}}
	var failed []string
	for _, f := range found {
		verdict := "PASS"
		if !f.Pass {
			result.Healthy, verdict, failed = false, "FAIL", append(failed, f.Check)
		}
		t.rows = append(t.rows, []string{f.Check, verdict, orDash(f.Detail)})
	}
	if err := a.print(result, t); err != nil {
		return err
	}
	if !result.Healthy {
		return exitWith(ExitCorrupt, fmt.Errorf("%w: %s", errUnhealthy, strings.Join(failed, ", ")))
	}
	return nil
}

// checkCluster looks at everything, in the order in which one would repair it.
func checkCluster(o topology.Overview, shards []topology.Shard, within tolerance) []finding {
	return []finding{
		checkNodes(o), checkVersions(o), checkClocks(o, within.clockSkew), checkMeta(o), checkLeaders(o, shards), checkVoters(o, shards),
		checkServing(shards), checkHashes(shards), checkEvenness(o, shards), checkLeaderships(o, shards), checkFlush(shards, within.flushLag),
		checkChanges(o, within.now),
	}
}

// judged is a finding that passes when nothing is wrong, and then says what is well.
func judged(check string, wrong []string, well string, args ...any) finding {
	if len(wrong) == 0 {
		return finding{Check: check, Pass: true, Detail: fmt.Sprintf(well, args...)}
	}
	return finding{Check: check, Detail: shortly(wrong)}
}

// shortly names the first few of many things.
func shortly(wrong []string) string {
	const few = 5
	text := ""
	for i, w := range wrong {
		if i == few {
			return text + fmt.Sprintf("; and %d more", len(wrong)-few)
		}
		if i > 0 {
			text += "; "
		}
		text += w
	}
	return text
}
