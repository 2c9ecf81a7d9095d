package program

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
)

// owner is who a server and its directory belong to.
type owner struct {
	uid, gid uint32
	// switched: it is not who we are.
	switched bool
}

// ownerNamed returns who runs a server that does not run as root: us when we are not root, else the user of that name. "": always us.
func ownerNamed(name, debian string) (owner, error) {
	if name == "" || os.Geteuid() != 0 {
		return owner{}, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return owner{}, fmt.Errorf("the server does not run as root: %w: %w", err, &MissingError{Program: "the user " + name, Debian: debian})
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return owner{}, fmt.Errorf("user %s: %w", name, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return owner{}, fmt.Errorf("user %s: %w", name, err)
	}
	return owner{uid: uint32(uid), gid: uint32(gid), switched: true}, nil
}

// command returns a command that runs as the owner in dir, which the owner may enter, without our environment's settings of servers and clients.
func (o owner) command(dir, path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	o.attributes(cmd)
	return cmd
}

// give hands a directory over to the owner.
func (o owner) give(dir string) error {
	if !o.switched {
		return nil
	}
	return os.Chown(dir, int(o.uid), int(o.gid))
}
