// Package libdb changes files of Berkeley DB with its library, in a build with
// cgo and the tag libdb. The library trusts the file: check it before
// (bdb.View.Check).
package libdb
