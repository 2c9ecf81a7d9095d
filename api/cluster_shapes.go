package api

import (
	"holdfast/api/topology"
	"holdfast/stock"
)

const (
	// maxNodeIDBytes and maxAddressBytes bound what names a node. What form they have is judged by the cluster.
	maxNodeIDBytes, maxAddressBytes = 64, 255
	// maxMaxNodes is the highest bound of nodes.
	maxMaxNodes = 64
	// minRetentionMS is above the longest deadline of a request and what clocks may differ by: no copy of a request outlives the memory of what
	// became of it (rule R5).
	minRetentionMS = 61_000
)

// The bodies of calls on the cluster.
var (
	addNodeShape = newShape("AddNode",
		member{name: "id", kind: aText, low: 1, high: maxNodeIDBytes, required: true, about: "The node's id, as in its --node-id."},
		member{name: "peer", kind: aText, low: 1, high: maxAddressBytes, required: true, about: "Where other nodes reach it, host:port."})
	transferShape = newShape("TransferShard",
		member{name: "to", kind: aText, low: 1, high: maxNodeIDBytes, about: "The node that leads from then on; without it the one that suits best."})
	rebuildShape = newShape("RebuildReplica",
		member{name: "node", kind: aText, low: 1, high: maxNodeIDBytes, required: true, about: "The node whose replica is built anew."})
	settingsShape = newShape("UpdateSettings",
		setting("retention_ms", minRetentionMS, stock.MaxRetentionMS, "How long an acceptance is remembered after its order settled, in milliseconds."),
		setting("max_open_orders_per_sku", 1, stock.MaxStock, "Open and held orders of one SKU."),
		setting("max_nodes", 1, maxMaxNodes, "Nodes of the cluster."))
)

func setting(name string, low, high int64, about string) member {
	return patched(member{name: name, kind: anInteger, low: low, high: high, about: about})
}

// decodeAddNode reads the body of POST /v1/cluster/nodes.
func decodeAddNode(b []byte) (n topology.NewNode, p *problem) {
	p = decodeObject(b, addNodeShape, func(s *scanner, m *member) (p *problem) {
		if m.name == "id" {
			n.ID, p = m.text(s)
		} else {
			n.Peer, p = m.text(s)
		}
		return p
	})
	if p == nil {
		p = addNodeShape.members[0].checked(n.ID)
	}
	if p == nil {
		p = addNodeShape.members[1].checked(n.Peer)
	}
	return n, p
}

// decodeOneText reads a body whose only member is a text; "" when it is optional and not there.
func decodeOneText(b []byte, sh *shape) (text string, p *problem) {
	given := false
	p = decodeObject(b, sh, func(s *scanner, m *member) (p *problem) {
		given = true
		text, p = m.text(s)
		return p
	})
	if p == nil && given {
		p = sh.members[0].checked(text)
	}
	return text, p
}

// decodeSettings reads the body of PATCH /v1/cluster/settings, a JSON merge patch: null leaves a setting as it is.
func decodeSettings(b []byte) (patch topology.SettingsPatch, p *problem) {
	p = decodeObject(b, settingsShape, func(s *scanner, m *member) *problem {
		if s.null() {
			return nil
		}
		n, p := m.integer(s)
		switch m.name {
		case "retention_ms":
			patch.RetentionMS = &n
		case "max_open_orders_per_sku":
			patch.MaxOpenOrdersPerSKU = &n
		case "max_nodes":
			patch.MaxNodes = &n
		}
		return p
	})
	return patch, p
}
