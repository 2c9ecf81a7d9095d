// Package peercert says by certificate which node is at the other end of a connection between nodes.
//
// What it promises:
//   - A connection made with an Identity is TLS 1.3, and both ends showed a certificate that the authorities of the peer port vouch for and that
//     names the node id they speak as. Host names and addresses are never looked at: nodes move, and several may share an address.
//   - Reload takes over files whole or not at all; connections made later use them, those that are there stay.
//   - Make writes a development authority and certificates for nodes, readable by their owner alone, and never over a file that is there.
//
// What it assumes: who can have a certificate signed by one of the authorities belongs to the cluster. The authorities are for peers alone, never
// those of the public listener: one that signs for the world would let the world in.
//
// A certificate names a node by a URI among its subject alternative names: holdfast://node/ID, the id percent-encoded as one path segment. The
// cluster is not in it: its id is drawn when the cluster is made, after the certificates; the handshake compares that.
//
// Map of the files: name.go (node ids in certificates), identity.go (the files, reading them again), verify.go (what an end wants of the other),
// authority.go (the development authority), files.go (writing), errors.go.
package peercert
