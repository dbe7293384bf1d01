// Package bdb reads the hash and btree files of Berkeley DB 4.x and 5.x in pure
// Go, with pread(2) and without libdb.
//
// Files are changed in place, so that a reader must keep writers out with a lock
// of its own for as long as a View is in use; every View reads the first page
// anew. No length and no page number in a file is trusted, and no walk visits
// more pages than the file has: a damaged file gives an error.
//
// Sources: the file formats as Berkeley DB documents them ("Berkeley DB
// Programmer's Reference Guide", db_verify and db_dump -da) and files that
// libdb 5.3 has written.
package bdb
