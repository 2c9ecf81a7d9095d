// Package config finds out what the settings of a command are and where each came from.
//
// It promises: a flag beats its environment variable, which beats the file, which beats the default; of a file nothing is taken unless all of it is
// understood; what is wrong is named with file, line and key, and a value that could hold a secret is not repeated; a file costs memory in
// proportion to its length, which is bounded, and no alias in it is ever followed.
//
// It assumes flags that were parsed, and that every setting is a flag with one value.
//
// A library for configuration lost: its file half knows no lines, takes the last of two equal keys and reads without a bound, and what would be left
// for it is to lay four flat maps over each other, each value with its origin beside it.
//
//	origin.go   a value and where it came from
//	resolve.go  the layers, and how they become the values of flags
//	file.go     reading the file, and what is wrong with its text as such
//	parse.go    its YAML: one flat mapping of settings
//	value.go    which values a setting takes
//	near.go     the name that was meant
//	errors.go   errors
package config
