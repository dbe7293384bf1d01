package prefilter

// collect chooses one set of every need and returns the strings in them, each
// with those who need it.
func collect(needs []Need) []entry {
	common := map[string]int{}
	for _, need := range needs {
		for _, set := range need.AnyOf {
			for _, text := range set {
				common[text]++
			}
		}
	}
	var entries []entry
	known := map[string]int{}
	for rule, need := range needs {
		for _, text := range choose(need.AnyOf, common) {
			i, ok := known[text]
			if !ok {
				i = len(entries)
				known[text] = i
				entries = append(entries, entry{text: text})
			}
			entries[i].rules = append(entries[i].rules, uint32(rule))
		}
	}
	place(entries)
	return entries
}

// choose returns the set with the lowest cost, or nil if there is none. What all
// expressions of a table need, such as the domain that they end with, tells them
// apart from nothing.
func choose(sets [][]string, common map[string]int) []string {
	var best []string
	lowest := 0
	for _, set := range sets {
		cost := 0
		for _, text := range set {
			cost += common[text] * frequency(len(text))
		}
		if best == nil || cost < lowest || cost == lowest && shortest(set) > shortest(best) {
			best, lowest = set, cost
		}
	}
	return best
}

// frequency guesses how often a string of so many bytes is in a key.
func frequency(length int) int { return 1 << (2 * max(0, gramSize-length)) }

// place chooses the gram of every string that the fewest strings have.
func place(entries []entry) {
	common := map[gram]int{}
	for i := range entries {
		for _, g := range grams(entries[i].text) {
			common[g]++
		}
	}
	for i := range entries {
		e := &entries[i]
		for at, g := range grams(e.text) {
			if at == 0 || common[g] < common[e.gram] {
				e.gram, e.end = g, at+min(len(e.text), gramSize)
			}
		}
	}
}

// grams returns the gram at every place of a string.
func grams(text string) []gram {
	if len(text) <= gramSize {
		return []gram{newGram(text)}
	}
	list := make([]gram, 0, len(text)-gramSize+1)
	for at := range len(text) - gramSize + 1 {
		list = append(list, newGram(text[at:at+gramSize]))
	}
	return list
}
