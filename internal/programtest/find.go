package programtest

import (
	"os"
	"os/exec"
	"testing"
)

// Find returns the path of a program, which is in a Debian package of that name. Where it is missing the test skips, in CI it fails.
func Find(t testing.TB, program, debian string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		Missing(t, program+" is not installed (Debian: "+debian+")")
	}
	return path
}

// Missing skips the test for something that is not there, or fails it in CI.
func Missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip("skipped: " + why)
}
