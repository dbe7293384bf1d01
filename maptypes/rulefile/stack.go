package rulefile

// Stack pairs if with endif while a table is read. A rule is known by its
// index, the place that it has in the compiled table.
type Stack struct {
	open []openIf
}

type openIf struct{ index, line int }

// If notes that rule index, from the given line, opens a block.
func (s *Stack) If(index, line int) { s.open = append(s.open, openIf{index, line}) }

// Empty reports whether no block is open.
func (s *Stack) Empty() bool { return len(s.open) == 0 }

// EndIf closes the innermost block, of which there must be one, and returns the
// index of the rule that opened it.
func (s *Stack) EndIf() int {
	last := len(s.open) - 1
	index := s.open[last].index
	s.open = s.open[:last]
	return index
}

// Finish warns about every block that is still open, the innermost first. Such
// a block reaches to the end of the table.
func (s *Stack) Finish(src *Source) {
	for i := len(s.open) - 1; i >= 0; i-- {
		src.Warnf(s.open[i].line, "IF has no matching ENDIF")
	}
}
