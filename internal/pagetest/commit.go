package pagetest

import (
	"bytes"
	"os/exec"
	"strings"
)

// Commit is the checkout's, "" when it has changes or is none.
func Commit() string {
	changes, err := exec.Command("git", "status", "--porcelain").Output()
	if err != nil || len(bytes.TrimSpace(changes)) > 0 {
		return ""
	}
	id, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}
