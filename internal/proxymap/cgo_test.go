//go:build cgo

package proxymap_test

// withCgo says that this build writes lmdb tables.
const withCgo = true
