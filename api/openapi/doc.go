// Package openapi holds the objects of an OpenAPI 3.1 document, as many of them as Holdfast needs to describe itself.
//
// It promises: Encode gives the same bytes for the same document, with the members of an object in the order of these structs and the keys of a map
// in byte order. It assumes: whoever fills in a document knows the specification; nothing is checked here, but in the tests of package api.
//
// Files: document.go (calls and answers), schema.go (values).
package openapi
