// Package plot draws lines over two axes as SVG, without a script and without a font of its own.
//
// It promises: the same plot is the same text; every text in it is escaped; lines differ by colour, dash and mark, not by colour alone; each
// point says its values to those who point at it, and the plot has a title and a description for those who cannot see it; light and dark
// follow the reader's setting. It assumes that whoever puts a Fragment into a page puts Style there, too.
//
// Files: plot.go what is drawn, axis.go scales and their marks, svg.go the drawing, number.go figures as people read them.
package plot
