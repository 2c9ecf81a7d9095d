package program

import (
	"os/exec"
	"syscall"
)

// attributes lets the process run as the owner and end when the thread that started it does, which launch keeps for as long as it lives.
func (o owner) attributes(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if o.switched {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: o.uid, Gid: o.gid}
	}
}
