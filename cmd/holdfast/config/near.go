package config

import (
	"slices"
	"strings"
)

// Near returns the one of the names that was probably meant, or "" when none is near: the same but for separators and case, the only one that
// begins so, or the one that the fewest changed letters lead to.
func Near(word string, names []string) string {
	const longest = 64
	word = spelled(word)
	if word == "" || len(word) > longest {
		return ""
	}
	best, most := "", max(1, min(3, len(word)/3))
	var begun []string
	for _, name := range slices.Sorted(slices.Values(names)) {
		if d := distance(word, spelled(name)); d <= most && (best == "" || d < most) {
			best, most = name, d
		}
		if len(word) >= 3 && strings.HasPrefix(spelled(name), word) {
			begun = append(begun, name)
		}
	}
	if best == "" && len(begun) == 1 {
		return begun[0]
	}
	return best
}

// spelled drops what people write differently.
func spelled(word string) string {
	word = strings.TrimPrefix(strings.ToLower(word), strings.ToLower(Prefix))
	return strings.NewReplacer("-", "", "_", "", ".", "", " ", "").Replace(word)
}

// distance is the number of letters to put in, leave out, change or swap with their neighbour.
func distance(a, b string) int {
	before, last, row := []int(nil), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, make([]int, len(b)+1)
	}
	return last[len(b)]
}
