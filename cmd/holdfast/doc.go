// Command holdfast sells limited stock to a crowd, exactly. One binary: a node (serve), a whole sale with a proof at the end (demo), and the
// commands that talk to a node or look at its files.
//
// Package cli has the commands, package demo the sale, package child a node as a process of its own.
package main
