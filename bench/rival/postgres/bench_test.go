package postgres_test

import (
	"errors"
	"testing"

	"holdfast/bench/rival/postgres"
	"holdfast/bench/rival/program"
	"holdfast/bench/rival/rivaltest"
	"holdfast/internal/programtest"
)

func BenchmarkPlace(b *testing.B) {
	for name, style := range map[string]postgres.Style{"steps": postgres.Steps, "one": postgres.OneStatement} {
		b.Run("style="+name, func(b *testing.B) {
			target, err := postgres.Open(b.Context(), postgres.Config{Style: style})
			if errors.Is(err, program.ErrMissing) {
				programtest.Missing(b, err.Error())
			}
			if err != nil {
				b.Fatal(err)
			}
			rivaltest.Bench(b, target, 64, 1)
			if err := target.Close(); err != nil {
				b.Error(err)
			}
		})
	}
}
