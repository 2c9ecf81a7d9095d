//go:build !race

package main

// detectorBytes: without the race detector all memory is the node's own.
const detectorBytes = 0
