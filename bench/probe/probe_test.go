package probe

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
	"time"
)

// The probe measures at least once, in order, and leaves nothing behind.
func TestDisk(t *testing.T) {
	dir := t.TempDir()
	f, err := Disk(t.Context(), dir, 20*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if f.Count < 1 || f.P50 <= 0 || f.P99 < f.P50 || f.Max < f.P99 {
		t.Errorf("%+v", f)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

func TestDiskThatIsNotThere(t *testing.T) {
	if _, err := Disk(t.Context(), filepath.Join(t.TempDir(), "none"), time.Second); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("err is %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Disk(ctx, t.TempDir(), time.Second); !errors.Is(err, context.Canceled) {
		t.Errorf("err is %v", err)
	}
}

func TestMachine(t *testing.T) {
	m := ThisMachine()
	if m.CPU == "" || m.Cores < 1 || m.OS == "" || m.Go == "" {
		t.Errorf("%+v", m)
	}
	for text, want := range map[string]string{
		"processor\t: 0\nmodel name\t: Quick  Chip 3\nmodel name\t: Other\n": "Quick  Chip 3", "model\t: 3\n": "", "": "",
	} {
		if got := cpuName(text); got != want {
			t.Errorf("%q is %q", text, got)
		}
	}
}

func TestCommit(t *testing.T) {
	for name, test := range map[string]struct {
		settings []debug.BuildSetting
		want     string
	}{
		"none":                {nil, "unknown"},
		"clean":               {[]debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "false"}}, "abc"},
		"changed":             {[]debug.BuildSetting{{Key: "vcs.modified", Value: "true"}, {Key: "vcs.revision", Value: "abc"}}, "abc-dirty"},
		"changed and unknown": {[]debug.BuildSetting{{Key: "vcs.modified", Value: "true"}}, "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := commitOf(test.settings); got != test.want {
				t.Errorf("%q", got)
			}
		})
	}
	if Commit() == "" {
		t.Error("no commit, and not unknown either")
	}
}
