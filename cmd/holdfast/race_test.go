//go:build race

package main

// detectorBytes is what the race detector itself may take of memory while a test measures a node.
const detectorBytes = 96 << 20
