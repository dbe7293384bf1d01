package textfile

import "strings"

// SplitList splits text into the words of a list.
func SplitList(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(CommaSpace, r) })
}

// SplitBraceList splits text into the words of a list as NextWord does.
func SplitBraceList(text string) []string {
	var list []string
	for word, rest, ok := NextWord(text, CommaSpace); ok; word, rest, ok = NextWord(rest, CommaSpace) {
		list = append(list, word)
	}
	return list
}
