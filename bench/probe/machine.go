package probe

import (
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

// Machine says what a run runs on.
type Machine struct {
	// CPU is the processor's name, as it calls itself; "unknown" where the system does not say.
	CPU string
	// Cores is how many processors this process may use at once.
	Cores int
	// OS is the system and, where it is known, its version; Go the version of the toolchain.
	OS, Go string
}

// ThisMachine returns the facts of this machine.
func ThisMachine() Machine {
	m := Machine{CPU: "unknown", Cores: runtime.GOMAXPROCS(0), OS: runtime.GOOS, Go: runtime.Version()}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if name := cpuName(string(text)); name != "" {
			m.CPU = name
		}
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.OS += " " + strings.TrimSpace(string(text))
	}
	return m
}

// cpuName returns the first processor's name of a cpuinfo, "" when there is none.
func cpuName(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Commit returns the commit that this program was built from, with -dirty when the checkout had changes, or "unknown": go run and go test do not
// tell.
func Commit() string {
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return commitOf(b.Settings)
}

func commitOf(settings []debug.BuildSetting) string {
	commit, dirty := "unknown", ""
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision" && s.Value != "":
			commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if commit == "unknown" {
		return commit
	}
	return commit + dirty
}
