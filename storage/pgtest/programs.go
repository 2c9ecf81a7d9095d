package pgtest

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// programs are the paths of what a server needs.
type programs struct{ initdb, postgres string }

// find looks for the programs in PATH, then among Debian's, the latest version first.
func find(t testing.TB) programs {
	t.Helper()
	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(dirs, func(a, b string) int { return major(b) - major(a) })
	look := func(name string) string {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
		for _, dir := range dirs {
			if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return path
			}
		}
		missing(t, name+" is missing: install postgresql (it is looked for in PATH and /usr/lib/postgresql/*/bin)")
		return ""
	}
	return programs{initdb: look("initdb"), postgres: look("postgres")}
}

func major(dir string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
	if err != nil {
		return 0
	}
	return n
}

// missing skips the test, or fails it where nothing may be skipped.
func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip("skipped: " + why)
}

// owner is who the programs run as.
type owner struct {
	uid, gid uint32
	switched bool
}

func findOwner(t testing.TB) owner {
	t.Helper()
	if os.Geteuid() != 0 {
		return owner{}
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		missing(t, fmt.Sprintf("PostgreSQL does not run as root, and there is no user postgres: %v", err))
	}
	uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
	if uidErr != nil || gidErr != nil {
		t.Fatalf("user postgres is %q of %q", u.Uid, u.Gid)
	}
	return owner{uid: uint32(uid), gid: uint32(gid), switched: true}
}

// command returns a command that runs as the owner, in a directory that the owner may enter, without the environment's PG variables.
func (o owner) command(dir, path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	o.attributes(cmd)
	return cmd
}
