//go:build cgo

package indexed_test

// lmdbWrites: this build can write lmdb files.
const lmdbWrites = true
