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
// The checksum covers the 28 bytes before it and the node id. The answer is one byte, a verdict, which every version reads alike; behind the one
// that accepts the port says who it is, so that the dialer knows whom it reached.
//
//	+---------+-------+----------+---------+
//	| verdict | named | checksum | node id |
//	|    1    |   1   |     4    |  named  |
//	+---------+-------+----------+---------+
//
// With certificates both travel inside TLS, and each id must also stand in the certificate of the end that says it.
const (
	peerMagic       = "HFPP"
	peerVersion     = 2 // 1 had a bare byte for an answer.
	peerHeadBytes   = 32
	peerAnswerBytes = 6
)

// streamKind says what a stream carries.
type streamKind uint8

const (
	streamRaft streamKind = iota + 1
	streamRPC
	streamJoin // of nodes that are no members yet; its cluster id is zero
)

// streamKey names a stream: Raft of a shard, 0 for the meta group; or one of the other kinds, of shard 0.
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
	verdictIdentity // the node id is not in the certificate
	verdictCrowd    // the node has too many connections
	// The rest is never sent: who does not speak the protocol gets no answer.
	verdictMagic
	verdictMalformed
	verdictIncomplete
	verdictLimit
	verdictFrame
	verdictTLS
	verdictHandshakes
	verdictSilent
)

// lastSent is the last verdict that is sent.
const lastSent = verdictCrowd

var verdictNames = [...]string{
	"accepted", "version", "cluster", "stream", "identity", "peer_limit", "magic", "malformed", "incomplete", "limit", "frame", "tls",
	"handshakes", "silent",
}

// verdictReasons say to the operator at the dialing end what a refusal means.
var verdictReasons = map[verdict]string{
	verdictVersion:  "it speaks another version of the protocol: the two programs are too far apart",
	verdictCluster:  "it belongs to another cluster",
	verdictStream:   "it has no replica of that shard, or not yet",
	verdictIdentity: "this node's certificate does not name its --node-id",
	verdictCrowd:    "it has too many connections from this node",
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
	if h.key.kind == streamJoin {
		cluster = [16]byte{}
	}
	if h.cluster != cluster {
		return h, verdictCluster
	}
	return h, verdictAccepted
}

// appendAnswer appends the answer to a head: the verdict, and who gives it when it accepts.
func appendAnswer(b []byte, v verdict, node string) []byte {
	b = append(b, byte(v))
	if v != verdictAccepted {
		return b
	}
	b = append(b, byte(len(node)))
	b = binary.LittleEndian.AppendUint32(b, answerSum(b[len(b)-2:], []byte(node)))
	return append(b, node...)
}

func answerSum(head, node []byte) uint32 {
	return crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, node)
}

// dialRefused is a refusal of the node that was dialed.
type dialRefused struct{ verdict verdict }

// Error says what the refusal means.
func (e *dialRefused) Error() string {
	return fmt.Sprintf("%v: %v: %s", ErrPeerRefused, e.verdict, verdictReasons[e.verdict])
}

// Unwrap returns ErrPeerRefused.
func (e *dialRefused) Unwrap() error { return ErrPeerRefused }

// readAnswer reads an answer: who accepted the connection, or ErrPeerRefused with the reason.
func readAnswer(r io.Reader) (node string, err error) {
	var b [peerAnswerBytes + maxNodeIDBytes]byte
	if _, err := io.ReadFull(r, b[:1]); err != nil {
		return "", err
	}
	if v := verdict(b[0]); v != verdictAccepted {
		return "", &dialRefused{verdict: v}
	}
	if _, err := io.ReadFull(r, b[1:peerAnswerBytes]); err != nil {
		return "", err
	}
	named := int(b[1])
	if named == 0 || named > maxNodeIDBytes {
		return "", fmt.Errorf("%w: the answer is malformed", ErrPeerRefused)
	}
	name := b[peerAnswerBytes : peerAnswerBytes+named]
	if _, err := io.ReadFull(r, name); err != nil {
		return "", err
	}
	if answerSum(b[:2], name) != binary.LittleEndian.Uint32(b[2:]) {
		return "", fmt.Errorf("%w: the answer is malformed", ErrPeerRefused)
	}
	return string(name), nil
}
