//go:build race

package main

// raceDetector: tests of whole processes that only repeat, slower, what the same test without the detector has shown are left out (see onceOnly).
const raceDetector = true

// detectorBytes is what the race detector itself may take of memory while a test measures a node.
const detectorBytes = 96 << 20
