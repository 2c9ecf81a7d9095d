package backup

import "errors"

var (
	// ErrDamaged is returned for an archive that is not one to its last byte: cut short, changed, or no backup at all.
	ErrDamaged = errors.New("backup: the archive is damaged")
	// ErrFormat is returned for an archive of a format, or with a state of a version, that this program does not know.
	ErrFormat = errors.New("backup: the archive has an unknown format")
	// ErrUnsound is returned for an archive whose states are whole but do not fit each other, or do not add up.
	ErrUnsound = errors.New("backup: the states in the archive are unsound")
	// ErrChanged is returned by Restore when the archive is not the one that was verified.
	ErrChanged = errors.New("backup: the archive has changed since it was verified")
	// ErrEpochs is returned by Restore when there is no epoch above that of the backup.
	ErrEpochs = errors.New("backup: no epoch is left")

	// ErrNoCluster is returned by Stream when this node does not know its cluster yet.
	ErrNoCluster = errors.New("backup: the cluster is not known yet")
	// ErrNoLeader is returned when a group had no leader that could be asked for its snapshot in time.
	ErrNoLeader = errors.New("backup: no leader gave its snapshot")
	// ErrBrokenOff is returned when the node that a snapshot was read from was lost in the middle of it.
	ErrBrokenOff = errors.New("backup: a snapshot broke off")
	// ErrBusy is returned when Bounds.MaxStreams backups are being made here, or Bounds.MaxReads snapshots read.
	ErrBusy = errors.New("backup: too many at a time")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("backup: closed")
)
