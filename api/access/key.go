package access

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
)

// Role says which listeners a key opens.
type Role uint8

// The roles. The zero Role opens nothing.
const (
	// RoleOrder opens the public listener.
	RoleOrder Role = iota + 1
	// RoleAdmin opens both listeners.
	RoleAdmin
)

// String returns the role's name in the file.
func (r Role) String() string {
	switch r {
	case RoleOrder:
		return "order"
	case RoleAdmin:
		return "admin"
	}
	return "none"
}

// ParseRole returns the role of a name, or ErrRole.
func ParseRole(name string) (Role, error) {
	for _, r := range []Role{RoleOrder, RoleAdmin} {
		if name == r.String() {
			return r, nil
		}
	}
	return 0, ErrRole
}

// Caller is who presented a key: the entry's name, which several keys may share, and its role.
type Caller struct {
	Name string
	Role Role
}

const (
	// keyPrefix makes a key that leaked recognisable to whoever looks for such.
	keyPrefix = "hf_"
	// keyBytes is how much randomness a key holds.
	keyBytes = 32
	// maxNameBytes bounds the name of a key.
	maxNameBytes = 64
)

// hash is all that is known of a key.
type hash [sha256.Size]byte

// NewKey draws a key of 256 bits from random: hf_ and 43 characters of URL-safe base64.
func NewKey(random io.Reader) (string, error) {
	raw := make([]byte, keyBytes)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", fmt.Errorf("access: draw a key: %w", err)
	}
	return keyPrefix + base64.RawURLEncoding.EncodeToString(raw), nil
}

// Entry returns the line of the file that lets a key in. The error is ErrName.
func Entry(c Caller, key string) (string, error) {
	if !validName(c.Name) {
		return "", ErrName
	}
	sum := sha256.Sum256([]byte(key))
	return fmt.Sprintf("- {name: %s, role: %s, sha256: %s}", c.Name, c.Role, hex.EncodeToString(sum[:])), nil
}

// validName reports whether a key may have this name. It stands in logs, in the audit log and in the scope of idempotency keys.
func validName(name string) bool {
	if name == "" || len(name) > maxNameBytes {
		return false
	}
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && (i == 0 || c != '.' && c != '_' && c != '-') {
			return false
		}
	}
	return true
}
