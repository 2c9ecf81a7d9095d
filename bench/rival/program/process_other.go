//go:build !linux

package program

import "os/exec"

func (owner) attributes(*exec.Cmd) {}
