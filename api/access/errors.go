package access

import "errors"

var (
	// ErrKeysFile is returned for a file of API keys that cannot be read or is not of the described form; the text names the line.
	ErrKeysFile = errors.New("access: API keys")
	// ErrCertificate is returned for a certificate or private key that cannot be used.
	ErrCertificate = errors.New("access: TLS certificate")
	// ErrName is returned for a name that no key can have.
	ErrName = errors.New("access: a name is 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit")
	// ErrRole is returned for a role that there is not.
	ErrRole = errors.New("access: a role is order or admin")
)
