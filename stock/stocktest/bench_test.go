package stocktest_test

import (
	"fmt"
	"testing"

	"holdfast/stock/stocktest"
)

// BenchmarkRandom writes sequences, each command of which the writer's own oracle also applies.
func BenchmarkRandom(b *testing.B) {
	for _, n := range []int{50, 200} {
		b.Run(fmt.Sprintf("steps=%d", n), func(b *testing.B) {
			seed := uint64(0)
			for b.Loop() {
				seed++
				stocktest.Random(seed, n)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/command")
		})
	}
}

// BenchmarkApply applies sequences of 50 commands.
func BenchmarkApply(b *testing.B) {
	sequences := make([][]stocktest.Step, 256)
	for i := range sequences {
		sequences[i] = stocktest.Random(uint64(i), 50)
	}
	i := 0
	for b.Loop() {
		o := stocktest.NewOracle()
		for _, s := range sequences[i%len(sequences)] {
			o.Apply(s.At, s.Command)
		}
		i++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*50), "ns/command")
}
