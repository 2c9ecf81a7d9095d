package peercert

import (
	"crypto/x509"
	"net/url"
	"slices"
	"strings"
)

// The name of a node in a certificate is nameScheme://nameHost/ID.
const (
	nameScheme = "holdfast"
	nameHost   = "node"
)

// NameOf returns the URI that stands for a node in a certificate.
func NameOf(node string) *url.URL {
	return &url.URL{Scheme: nameScheme, Host: nameHost, Path: "/" + node, RawPath: "/" + url.PathEscape(node)}
}

// Nodes returns the ids of the nodes that a certificate names, in its order.
func Nodes(c *x509.Certificate) []string {
	var nodes []string
	for _, u := range c.URIs {
		id, ok := strings.CutPrefix(u.Path, "/")
		plain := u.User == nil && u.RawQuery == "" && u.Fragment == "" && u.Opaque == ""
		if ok && id != "" && plain && u.Scheme == nameScheme && u.Host == nameHost {
			nodes = append(nodes, id)
		}
	}
	return nodes
}

// Names reports whether a certificate names a node.
func Names(c *x509.Certificate, node string) bool { return slices.Contains(Nodes(c), node) }

// described says in an error whose certificate one is.
func described(c *x509.Certificate) string {
	if nodes := Nodes(c); len(nodes) > 0 {
		return "of node " + strings.Join(nodes, ", ")
	}
	return "that names no node (" + NameOf("ID").String() + ")"
}
