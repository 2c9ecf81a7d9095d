// Package cli is the command line.
//
// It promises: results go to standard output and everything else to standard error; every command's help starts with an example; -o json prints
// what the API answered, -o table the same for people, without colour; the exit codes are those of exit.go; a flag beats its environment
// variable, which beats the file of settings, which beats the default, and a HOLDFAST_ variable that is no flag's is refused.
//
// It assumes a process of its own: serve and demo listen to signals.
//
//	root.go          Run, and the tree of commands
//	exit.go          exit codes
//	env.go           environment variables
//	settings.go      the settings of a node, and where commands get the values of their flags
//	config.go        showing and checking settings
//	completion.go    what a shell offers
//	man.go           manual pages
//	output.go        tables and JSON
//	answer.go        orders and SKUs as JSON
//	remote.go        how a node is reached
//	credentials.go   the API key of a call, and whom it trusts
//	order.go         placing and showing orders
//	order_settle.go  confirm, cancel, return
//	outcome.go       what became of a key, and fencing it
//	sku.go           creating and showing SKUs
//	sku_change.go    changing them
//	cluster.go       changing a cluster
//	cluster_wait.go  until a change has ended
//	cluster_show.go  the cluster, its nodes and shards
//	cluster_check.go and cluster_findings.go  whether it is as it should be
//	cluster_upkeep.go  leadership, snapshots, settings
//	cluster_backup.go  all of it into a file
//	cluster_restore.go  what is in such a file, and a new cluster from it
//	cluster_certs.go certificates for nodes
//	wal.go           the log, offline: whether it is sound
//	wal_inspect.go   what it holds
//	demo.go          the sale with its proof
//	bench.go         a measured sale; bench_meter.go how it goes, bench_show.go what it found, bench_page.go the same as a file, bench_compare.go beside
//	                 rivals
//	serve.go         a node's flags
//	serving.go       a node from its start to its end
//	doctor.go        whether this machine is fit for a node
//	notify.go        what the service manager is told of it; rusage_*.go tell work from waiting
//	access.go        who may call a node, as flags
//	keys.go          making API keys
//	bounds.go        the limits of a node, as flags
//	logging.go       how a node logs
//	version.go       which build this is
package cli
