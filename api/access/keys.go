package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"sync/atomic"
)

// Keys are the API keys in force. Its methods may be called concurrently.
type Keys struct {
	path    string
	entries atomic.Pointer[[]entry]
	exposed atomic.Bool
}

// LoadKeys reads the keys of a file. The error wraps ErrKeysFile.
func LoadKeys(path string) (*Keys, error) {
	k := &Keys{path: path}
	if err := k.Reload(); err != nil {
		return nil, err
	}
	return k, nil
}

// Reload reads the file again. On an error, which wraps ErrKeysFile, the keys stay as they were.
func (k *Keys) Reload() error {
	entries, exposed, err := readKeys(k.path)
	if err != nil {
		return err
	}
	k.entries.Store(&entries)
	k.exposed.Store(exposed)
	return nil
}

// Path returns the file's path.
func (k *Keys) Path() string { return k.path }

// Len returns how many keys are in force.
func (k *Keys) Len() int { return len(*k.entries.Load()) }

// Exposed reports whether the file, as read last, can be changed by others than its owner or read by all.
func (k *Keys) Exposed() bool { return k.exposed.Load() }

// Identify returns whose key the Authorization headers of a request present; false when they present none that is in force.
func (k *Keys) Identify(authorization []string) (Caller, bool) {
	key, ok := bearer(authorization)
	if !ok {
		return Caller{}, false
	}
	return identify(*k.entries.Load(), key)
}

// identify compares the hash of the key with every entry and does not stop at the one that matches: neither where a key stands in the file nor how
// much of its hash is right shows in the time it takes. It depends on the number of entries and the length of what was presented.
func identify(entries []entry, key string) (Caller, bool) {
	sum := sha256.Sum256([]byte(key))
	found := -1
	for i := range entries {
		same := subtle.ConstantTimeCompare(entries[i].hash[:], sum[:])
		found = subtle.ConstantTimeSelect(same, i, found)
	}
	if found < 0 {
		return Caller{}, false
	}
	return entries[found].Caller, true
}
