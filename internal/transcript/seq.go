package transcript

// seq is a list that grows at its end only. A copy stays as it is when another
// copy grows, and shares its memory: so readers keep what they have while one
// writer adds. Only one of the copies of a length may grow.
type seq[T any] struct {
	parts []*[seqPart]T
	n     int
}

const seqPart = 64

func (s *seq[T]) add(v T) {
	if s.n%seqPart == 0 {
		// Another copy of this length may have grown, in vain.
		s.parts = append(s.parts[:s.n/seqPart], new([seqPart]T))
	}
	s.parts[s.n/seqPart][s.n%seqPart] = v
	s.n++
}

func (s *seq[T]) at(i int) T { return s.parts[i/seqPart][i%seqPart] }
