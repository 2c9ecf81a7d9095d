package redis

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"holdfast/bench/rival/program"
	"holdfast/bench/sale"
)

const (
	defaultConnections = 64
	// callTimeout bounds one pipeline: a server that syncs for each is slow, not gone.
	callTimeout = 30 * time.Second
)

// startServer starts a server that keeps what it acknowledged.
func startServer(ctx context.Context, parent string) (*program.Server, error) {
	path, err := program.Find("redis-server", "redis-server", "")
	if err != nil {
		return nil, err
	}
	return program.Start(ctx, program.Config{
		Name: "redis", Parent: parent, Stop: syscall.SIGTERM,
		Command: func(dir string, port int) (string, []string) {
			return path, []string{"--bind", "127.0.0.1", "--port", fmt.Sprint(port), "--dir", dir, "--daemonize", "no", "--save", "",
				"--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0"}
		},
		Answers: func(ctx context.Context, port int) error {
			client := redis.NewClient(options(&redis.Options{Addr: address(port)}, 1))
			return closing(client, client.Ping(ctx).Err())
		},
	})
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

func closing(client *redis.Client, err error) error {
	if closed := client.Close(); err == nil && closed != nil {
		return fmt.Errorf("close the client: %w", closed)
	}
	return err
}

// options leaves out what costs a rival time and brings it nothing: retries, pools that grow, and commands about the client.
func options(o *redis.Options, connections int) *redis.Options {
	o.PoolSize, o.PipelinePoolSize, o.MaxActiveConns = connections, connections, 2*connections
	o.MaxRetries = -1
	o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = callTimeout, callTimeout, callTimeout
	o.ContextTimeoutEnabled = true
	o.DisableIdentity, o.Protocol = true, 2 // of protocol 3, each reply would be searched for messages in between
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return o
}

// describe asks the server what it is and what it promises.
func describe(ctx context.Context, client *redis.Client) (sale.About, error) {
	text, err := client.Info(ctx).Result()
	if err != nil {
		return sale.About{}, fmt.Errorf("ask the server what it is: %w", err)
	}
	said := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			said[name] = value
		}
	}
	about := sale.About{Name: "redis", Version: said["redis_version"], Replicas: 1, Nodes: 1}
	switch said["aof_enabled"] {
	case "1":
		// CONFIG may be forbidden; then nobody knows how often the file is synced.
		how, err := client.ConfigGet(ctx, "appendfsync").Result()
		if err != nil {
			how = map[string]string{"appendfsync": "unknown"}
		}
		about.Durability = "append-only file, appendfsync " + how["appendfsync"]
		if how["appendfsync"] == "always" {
			about.Durability = "fsync on its one node (appendfsync always, once for each turn of the event loop)"
		}
	default:
		about.Durability = "none: no append-only file"
	}
	about.Durability += "; no replica"
	if n := said["connected_slaves"]; n != "" && n != "0" {
		about.Durability = strings.TrimSuffix(about.Durability, "no replica") + n + " replicas, which nobody waits for"
	}
	return about, nil
}
