// Package access says who may call: API keys with their roles, and the certificate that callers see.
//
// It promises: a key is never kept, printed or part of an error, only its SHA-256 is; a presented key is hashed and compared with every entry, in
// time that depends on neither; files are taken over whole or not at all, so a bad file leaves the good one in force.
//
// It assumes that keys are 256 bits of randomness, as NewKey makes them. One round of SHA-256 is enough for those and too little for passwords.
//
// Files: key.go (keys, roles and their entries), keysfile.go (the file's form), keys.go (those in force), bearer.go (the header), certificate.go
// (TLS), plainfile.go (what either may be read from), errors.go.
package access
