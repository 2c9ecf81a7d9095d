//go:build !race

package main

const raceDetector = false

// detectorBytes: without the race detector all memory is the node's own.
const detectorBytes = 0
