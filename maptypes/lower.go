package maptypes

// AppendLower appends key to dst with its ASCII letters in lower case, which is
// how Postfix folds the keys of a source file that it reads into memory, in
// UTF-8 mode too.
func AppendLower(dst, key []byte) []byte { return appendLower(dst, key) }
