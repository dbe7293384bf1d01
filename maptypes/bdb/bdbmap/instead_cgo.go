//go:build cgo

package bdbmap

// instead is a type for tables that are written, which this build has.
const instead = "lmdb"
