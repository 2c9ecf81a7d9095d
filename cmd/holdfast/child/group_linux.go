package child

import (
	"os/exec"
	"syscall"
)

// tie gives the node a process group of its own, so that Ctrl-C reaches only its parent, and ends it when the thread that started it ends.
func tie(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
