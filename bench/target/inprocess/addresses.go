package inprocess

// Addresses returns where the nodes that run listen to orders, as http://host:port: the way in that callers from outside have.
func (t *Target) Addresses() []string {
	var all []string
	for _, s := range t.slots {
		if n := s.node.Load(); n != nil {
			all = append(all, "http://"+n.Addrs().HTTP)
		}
	}
	return all
}
