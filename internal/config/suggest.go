package config

import "strings"

// suggest is the known name that a wrong one was most likely meant to be, or
// "" when none is near.
func suggest(wrong string, known []string) string {
	best, least := "", len(wrong)/3+1
	for _, name := range known {
		if strings.EqualFold(name, wrong) {
			return name
		}
		if n := distance(strings.ToLower(wrong), strings.ToLower(name)); n < least || n == least && best == "" {
			best, least = name, n
		}
	}
	return best
}

// distance is how many letters must be added, dropped, replaced or swapped
// with their neighbour to make b of a.
func distance(a, b string) int {
	before, row := []int(nil), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			change := row[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			next[j] = min(change, row[j]+1, next[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
