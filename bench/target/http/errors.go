package http

import "errors"

var (
	// ErrConfig is returned by Open for what cannot be measured.
	ErrConfig = errors.New("http: config")
	// ErrExists is returned by Create for a SKU of which orders were placed before.
	ErrExists = errors.New("http: the SKU exists")
	// errAnswer is the cause when an answer is not one of Holdfast's.
	errAnswer = errors.New("http: the answer cannot be read")
)
