package inprocess

// Addresses returns where the nodes that run listen, as http://host:port: for orders, and for administration.
func (t *Target) Addresses() (public, admin []string) {
	for _, s := range t.slots {
		if n := s.node.Load(); n != nil {
			at := n.Addrs()
			public, admin = append(public, "http://"+at.HTTP), append(admin, "http://"+at.Admin)
		}
	}
	return public, admin
}
