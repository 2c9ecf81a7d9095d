package redis_test

import (
	"testing"

	client "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"holdfast/bench/rival/redis"
	"holdfast/bench/rival/rivaltest"
	"holdfast/bench/sale"
	"holdfast/internal/programtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, cfg redis.Config) *redis.Target {
	t.Helper()
	target, err := redis.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func TestSale(t *testing.T) {
	programtest.Find(t, "redis-server", "redis-server")
	target := open(t, redis.Config{Parent: t.TempDir(), Connections: 8})
	rivaltest.Run(t, target)
	const durable = "fsync on its one node (appendfsync always, once for each turn of the event loop); no replica"
	if about := target.About(); about.Durability != durable || about.Replicas != 1 {
		t.Errorf("%+v", about)
	}
	t.Run("by address", func(t *testing.T) { leavesNothing(t, target.URL()) })
	if err := target.Close(); err != nil {
		t.Error(err)
	}
}

// leavesNothing sells on a server that is somebody else's, and looks at what stays there.
func leavesNothing(t *testing.T, url string) {
	o, err := client.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	other := client.NewClient(o)
	defer other.Close()
	before := other.DBSize(t.Context()).Val()
	target := open(t, redis.Config{URL: url})
	if err := target.Create(t.Context(), []sale.SKU{{Name: "guest", Stock: 1, LimitPerUser: 1}}); err != nil {
		t.Fatal(err)
	}
	answers := make([]sale.Answer, 1)
	target.Place(t.Context(), []sale.Order{{Key: "k", SKU: "guest", User: "u", Qty: 1}}, answers)
	if answers[0].Verdict != sale.Accepted {
		t.Errorf("%+v", answers[0])
	}
	if during := other.DBSize(t.Context()).Val(); during != before+3 {
		t.Errorf("%d keys during the sale, %d before", during, before)
	}
	if err := target.Close(); err != nil {
		t.Error(err)
	}
	if after := other.DBSize(t.Context()).Val(); after != before {
		t.Errorf("%d keys after the sale, %d before", after, before)
	}
}

func TestNobodyThere(t *testing.T) {
	if _, err := redis.Open(t.Context(), redis.Config{URL: "redis://127.0.0.1:1"}); err == nil {
		t.Error("a server that is not there was opened")
	}
	if _, err := redis.Open(t.Context(), redis.Config{URL: "http://127.0.0.1:1"}); err == nil {
		t.Error("an address that is no Redis was taken")
	}
}
