package inprocess

import "errors"

var (
	// ErrConfig is returned by Open for what cannot be opened.
	ErrConfig = errors.New("inprocess: config")
	// ErrExists is returned by Create for a SKU that is there.
	ErrExists = errors.New("inprocess: the SKU exists")
	// ErrRefused is returned for a request that was decided against.
	ErrRefused = errors.New("inprocess: refused")
	// ErrUndecided is returned for a request that nobody decided in time.
	ErrUndecided = errors.New("inprocess: not decided in time")
	// ErrNoHeir is returned by KillLeader when too few nodes would be left.
	ErrNoHeir = errors.New("inprocess: with this node gone nobody could lead")
)
