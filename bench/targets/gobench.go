package targets

import (
	"bufio"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// goBench takes the median of a unit from stored output of Go's benchmarks, as benchstat reads it. The name is without Benchmark and without
// the number of cores.
func goBench(file, name, unit string) Source {
	return func(stored fs.FS) (Figure, error) {
		values, conditions, err := measured(stored, file, name, unit)
		if err != nil {
			return Figure{}, err
		}
		return Figure{Value: median(values), Note: times(len(values)), Conditions: conditions}, nil
	}
}

// goBenchRatio takes the median of one unit divided by another of the same benchmark.
func goBenchRatio(file, name, over, under string) Source {
	return func(stored fs.FS) (Figure, error) {
		a, conditions, err := measured(stored, file, name, over)
		if err != nil {
			return Figure{}, err
		}
		b, _, err := measured(stored, file, name, under)
		if err != nil {
			return Figure{}, err
		}
		if len(a) != len(b) {
			return Figure{}, fmt.Errorf("%s: %w: %s has %d values of %s and %d of %s", file, ErrOther, name, len(a), over, len(b), under)
		}
		for i := range a {
			a[i] /= b[i]
		}
		return Figure{Value: median(a), Note: times(len(a)), Conditions: conditions}, nil
	}
}

func times(n int) string {
	if n == 1 {
		return "one run"
	}
	return fmt.Sprintf("median of %d runs", n)
}

// measured returns the values of a unit in the order of the runs, and what the output says of the machine.
func measured(stored fs.FS, file, name, unit string) (values []float64, conditions string, err error) {
	f, err := stored.Open(file)
	if err != nil {
		return nil, "", fmt.Errorf("stored benchmarks: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if cpu, ok := strings.CutPrefix(lines.Text(), "cpu: "); ok {
			conditions = strings.TrimSpace(cpu)
		}
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !names(fields[0], name) {
			continue
		}
		for i := 2; i+1 < len(fields); i += 2 {
			if fields[i+1] != unit {
				continue
			}
			v, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, "", fmt.Errorf("%s: %s: %w", file, name, err)
			}
			values = append(values, v)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, "", fmt.Errorf("%s: %w", file, err)
	}
	if len(values) == 0 {
		return nil, "", fmt.Errorf("%s: %w: no %s of %s", file, ErrOther, unit, name)
	}
	return values, conditions, nil
}

// names reports whether a line's first field is a benchmark, with the number of cores behind it or without.
func names(field, name string) bool {
	rest, ok := strings.CutPrefix(field, "Benchmark"+name)
	if !ok || rest == "" {
		return ok
	}
	cores, ok := strings.CutPrefix(rest, "-")
	_, err := strconv.Atoi(cores)
	return ok && err == nil
}

func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
