package redis_test

import (
	"fmt"
	"testing"

	"holdfast/bench/rival/redis"
	"holdfast/bench/rival/rivaltest"
	"holdfast/internal/programtest"
)

func BenchmarkPlace(b *testing.B) {
	programtest.Find(b, "redis-server", "redis-server")
	for _, load := range []struct{ callers, batch int }{{64, 1}, {16, 16}, {16, 100}, {16, 1000}} {
		b.Run(fmt.Sprintf("callers=%d/batch=%d", load.callers, load.batch), func(b *testing.B) {
			target, err := redis.Open(b.Context(), redis.Config{Parent: b.TempDir(), Connections: load.callers})
			if err != nil {
				b.Fatal(err)
			}
			rivaltest.Bench(b, target, load.callers, load.batch)
			if err := target.Close(); err != nil {
				b.Error(err)
			}
		})
	}
}
