package cluster

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

// Every connection to a peer port begins with its head, and the port answers one byte before anything else flows. Little endian, CRC32C.
//
//	+-------+---------+------+-------+------+---------+-------+----------+---------+
//	| magic | version | kind | named | zero | cluster | shard | checksum | node id |
//	|   4   |    1    |   1  |   1   |   1  |    16   |   4   |     4    |  named  |
//	+-------+---------+------+-------+------+---------+-------+----------+---------+
//
// The checksum covers the 28 bytes before it and the node id.
const (
	peerMagic     = "HFPP"
	peerVersion   = 1
	peerHeadBytes = 32
)

// streamKind says what a stream carries.
type streamKind uint8

const (
	streamRaft streamKind = iota + 1
	streamRPC
)

// streamKey names a stream: Raft of a shard, or RPC (shard 0).
type streamKey struct {
	kind  streamKind
	shard uint32
}

// verdict is the port's answer to a head, and the reason label of the counter of dropped connections.
type verdict uint8

const (
	verdictAccepted verdict = iota
	verdictVersion
	verdictCluster
	verdictStream
	// The rest is never sent: who does not speak the protocol gets no answer.
	verdictMagic
	verdictMalformed
	verdictIncomplete
	verdictLimit
	verdictFrame
)

var verdictNames = [...]string{
	"accepted", "version", "cluster", "stream", "magic", "malformed", "incomplete", "limit", "frame",
}

// String returns the verdict's name in metrics.
func (v verdict) String() string {
	if int(v) < len(verdictNames) {
		return verdictNames[v]
	}
	return fmt.Sprintf("verdict(%d)", uint8(v))
}

// peerHead is the head of a connection.
type peerHead struct {
	key     streamKey
	cluster [16]byte
	node    string
}

// append appends the encoded head.
func (h *peerHead) append(b []byte) []byte {
	at := len(b)
	b = append(b, peerMagic...)
	b = append(b, peerVersion, byte(h.key.kind), byte(len(h.node)), 0)
	b = append(b, h.cluster[:]...)
	b = binary.LittleEndian.AppendUint32(b, h.key.shard)
	sum := crc32.Update(crc32.Checksum(b[at:], castagnoli), castagnoli, []byte(h.node))
	return append(binary.LittleEndian.AppendUint32(b, sum), h.node...)
}

// readPeerHead reads a head from r. The verdict is verdictAccepted when it is well formed and of this version and cluster.
func readPeerHead(r io.Reader, cluster [16]byte) (peerHead, verdict) {
	var h peerHead
	var b [peerHeadBytes + maxNodeIDBytes]byte
	if _, err := io.ReadFull(r, b[:4]); err != nil {
		return h, verdictIncomplete
	}
	if string(b[:4]) != peerMagic {
		return h, verdictMagic
	}
	if _, err := io.ReadFull(r, b[4:peerHeadBytes]); err != nil {
		return h, verdictIncomplete
	}
	if b[4] != peerVersion {
		return h, verdictVersion
	}
	named := int(b[6])
	if named == 0 || named > maxNodeIDBytes || b[7] != 0 {
		return h, verdictMalformed
	}
	node := b[peerHeadBytes : peerHeadBytes+named]
	if _, err := io.ReadFull(r, node); err != nil {
		return h, verdictIncomplete
	}
	if crc32.Update(crc32.Checksum(b[:28], castagnoli), castagnoli, node) != binary.LittleEndian.Uint32(b[28:]) {
		return h, verdictMalformed
	}
	h.key = streamKey{kind: streamKind(b[5]), shard: binary.LittleEndian.Uint32(b[24:])}
	h.node = string(node)
	copy(h.cluster[:], b[8:24])
	if h.cluster != cluster {
		return h, verdictCluster
	}
	return h, verdictAccepted
}
