package wal

// WithSalt fixes the random number in the headers of segments, for tests of the format.
func WithSalt(c Config, salt uint64) Config {
	c.salt = func() uint64 { return salt }
	return c
}
