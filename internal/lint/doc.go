// Package lint holds the house rules as a test over the repository's own tree, so that nobody has to remember them.
//
// It promises that every rule is a function from parsed sources to findings, that every rule has a test which feeds it a wrong sample, and
// that Check applies all of them. It assumes that it is given the root of the repository; it reads files and runs nothing.
//
//	tree.go      what is read: Go files and their packages, other text, every path
//	check.go     Finding, and Check, which applies every rule
//	arrows.go    who may import whom of ours, and where each third party is contained
//	imports.go   three groups of imports
//	size.go      lengths of functions and files
//	docs.go      package comments and comments on exported names
//	filemap.go   the map of files in each package comment
//	names.go     words that no type and no file may be called
//	banned.go    what the domain core may not touch; sleeping tests; untyped atomics
//	text.go      marks of unfinished work and paths of one machine, in any text
//	steps.go     the twelve numbered steps on the way of an order
//	links.go     what the documentation points to: files, paths, tests
//	promises.go  the ten promises, each with its tests
package lint
