package wal

// Check returns the ErrConfig that Open would return for c, whatever is on the disk.
func (c Config) Check() error {
	_, err := c.withDefaults()
	return err
}
