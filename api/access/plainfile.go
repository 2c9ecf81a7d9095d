package access

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

var (
	errNotPlain = errors.New("it is a directory, a pipe or a device, and a file is wanted")
	errTooLong  = fmt.Errorf("more than %d bytes", maxFileBytes)
)

// plainFile looks at what is about to be read. A pipe could make the reader wait for ever, which on SIGHUP is the node's main loop, and a device has
// no end.
func plainFile(path string) (fs.FileInfo, error) {
	stat, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !stat.Mode().IsRegular():
		err = errNotPlain
	case stat.Size() > maxFileBytes:
		err = errTooLong
	}
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return stat, nil
}
