package rulefile

// TryAll makes a table try every rule, one by one.
func (t *Table) TryAll() {
	t.first = nil
	for i := range t.rules {
		t.rules[i].filtered = false
		t.filter.always[i/64] |= 1 << (i % 64)
	}
}

// Filtered returns how many rules of the table the filter knows.
func (t *Table) Filtered() (n int) {
	for i := range t.rules {
		if t.rules[i].filtered {
			n++
		}
	}
	return n
}
