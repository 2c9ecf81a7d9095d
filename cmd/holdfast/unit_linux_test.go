package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"holdfast/internal/programtest"
)

// maxExposure is the highest score, times ten, that the unit may have: docs/operating.md says what it is.
const maxExposure = "15"

// systemdAnalyze returns the program that knows units.
func systemdAnalyze(t *testing.T) string {
	t.Helper()
	return programtest.Find(t, "systemd-analyze", "systemd")
}

// unitFile copies the unit with this program in its place, as the manager wants to see the program that it starts.
func unitFile(t *testing.T, dropIn string) (path, text string) {
	t.Helper()
	b, err := os.ReadFile("../../deploy/holdfast.service")
	if err != nil {
		t.Fatal(err)
	}
	const installed = "/usr/local/bin/holdfast"
	if !strings.Contains(string(b), "ExecStart="+installed+" ") {
		t.Fatalf("the unit does not start %s", installed)
	}
	text = strings.ReplaceAll(string(b), installed, program(t))
	path = filepath.Join(t.TempDir(), "holdfast.service")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if dropIn == "" {
		return path, text
	}
	b, err = os.ReadFile("../../deploy/" + dropIn)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text+string(b)), 0o644); err != nil {
		t.Fatal(err)
	}
	return path, text
}

// systemd understands every line of the unit, alone and with the drop-in, and finds little that a service could still give up.
func TestUnit(t *testing.T) {
	analyze := systemdAnalyze(t)
	for _, dropIn := range []string{"", "credentials.conf"} {
		unit, _ := unitFile(t, dropIn)
		for _, args := range [][]string{
			{"verify", "--man=no", "--recursive-errors=no", unit}, {"security", "--no-pager", "--offline=yes", "--threshold=" + maxExposure, unit},
		} {
			out, err := exec.Command(analyze, args...).CombinedOutput()
			if err != nil || args[0] == "verify" && strings.Contains(string(out), "holdfast.service:") {
				t.Errorf("%s, with %q: %v\n%s", args[0], dropIn, err, out)
			}
		}
	}
}

// A word that systemd does not know is found by the test above, so it can fail.
func TestUnitWithATypo(t *testing.T) {
	analyze := systemdAnalyze(t)
	path, text := unitFile(t, "")
	if err := os.WriteFile(path, []byte(strings.Replace(text, "ProtectHome=yes", "ProtectHme=yes", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.Command(analyze, "verify", "--man=no", "--recursive-errors=no", path).CombinedOutput()
	if !strings.Contains(string(out), "holdfast.service:") || !strings.Contains(string(out), "ProtectHme") {
		t.Errorf("%s", out)
	}
}

// The command line and every variable of the example belong to flags that serve has: a node given them all is refused for what they say, not for
// a name. The time to stop is above the time to drain.
func TestUnitSettings(t *testing.T) {
	env, err := os.ReadFile("../../deploy/holdfast.env")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile(`(?m)^#([A-Z_]+)=(.*)$`).FindAllStringSubmatch(string(env), -1)
	if len(examples) < 7 {
		t.Fatalf("%q", examples)
	}
	for _, e := range examples {
		if strings.HasPrefix(e[1], "HOLDFAST_") && e[1] != "HOLDFAST_CONFIG" { // there is no such file here
			t.Setenv(e[1], e[2])
		}
	}
	_, unit := unitFile(t, "")
	start := regexp.MustCompile(`(?m)^ExecStart=\S+ (.*)$`).FindStringSubmatch(unit)
	if start == nil {
		t.Fatal("no ExecStart")
	}
	code, text := refused(t, strings.Fields(start[1])...)
	if code != 2 || !strings.Contains(text, "/etc/holdfast/keys.yaml") {
		t.Errorf("exit code %d: %s", code, text)
	}
	if !strings.Contains(unit, "\nTimeoutStopSec=60\n") || !strings.Contains(unit, "\nRestartPreventExitStatus=2 4\n") {
		t.Error("the time to stop, or the exit codes, are not what docs/operating.md says")
	}
}
