package disk

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// Who comes while an action is under way shares the next one: the present one may
// not have seen what it is about.
func TestShareBeginsAnewForWhoComesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Share[int]
		var mu sync.Mutex
		var rounds [][]int
		hold := make(chan struct{})
		failed := errors.New("failed")
		act := func(items []int) error {
			mu.Lock()
			rounds = append(rounds, slices.Sorted(slices.Values(items)))
			n := len(rounds)
			mu.Unlock()
			<-hold
			if n == 2 {
				return failed
			}
			return nil
		}
		results := make([]error, 6)
		var all sync.WaitGroup
		do := func(i int) {
			all.Go(func() { results[i] = s.Do(i, act) })
			synctest.Wait()
		}
		do(0)
		do(1)
		do(2)
		do(3)
		hold <- struct{}{}
		synctest.Wait()
		do(4)
		do(5)
		close(hold)
		all.Wait()
		if len(rounds) != 3 || !slices.Equal(rounds[0], []int{0}) || !slices.Equal(rounds[1], []int{1, 2, 3}) || !slices.Equal(rounds[2], []int{4, 5}) {
			t.Errorf("the actions had %v", rounds)
		}
		for i, err := range results {
			if want := i >= 1 && i <= 3; errors.Is(err, failed) != want {
				t.Errorf("%d got %v", i, err)
			}
		}
		if err := s.Do(6, func(items []int) error { return nil }); err != nil {
			t.Error(err)
		}
	})
}
