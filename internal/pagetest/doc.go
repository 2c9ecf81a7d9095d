// Package pagetest holds pages of the documentation to what they are generated from.
//
// It promises: a part of a page between its two marks is exactly the wanted text, or the test fails and says which command writes it anew;
// what lies outside the marks is never touched. It assumes that tests of different packages do not write the same page at the same time.
//
// Files: page.go, and commit.go, what the figures on a page were measured of.
package pagetest
