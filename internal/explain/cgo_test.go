//go:build cgo

package explain_test

// withCgo says that this build makes lmdb tables.
const withCgo = true
