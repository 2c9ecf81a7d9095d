//go:build !linux

package child

import "os/exec"

// tie does nothing: other systems have no signal for a parent's death.
func tie(*exec.Cmd) {}
