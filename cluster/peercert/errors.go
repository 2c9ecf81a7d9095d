package peercert

import "errors"

var (
	// ErrFiles is returned for files of certificate, key or authorities that cannot be used.
	ErrFiles = errors.New("peercert: cannot use")
	// ErrOtherNode is returned for a certificate that does not name the node it is to speak for.
	ErrOtherNode = errors.New("peercert: the certificate is another node's")
	// ErrUnverified is returned for a certificate that no authority in force vouches for now.
	ErrUnverified = errors.New("peercert: the certificate is not to be trusted")
	// ErrExists is returned when a file would have to be replaced.
	ErrExists = errors.New("peercert: the file is there already")
	// ErrRequest is returned when certificates are asked for that cannot be made.
	ErrRequest = errors.New("peercert: cannot make this")
)
