// Package pagetree reads the copy-on-write B+ trees of LMDB and bbolt files
// with pread(2), without the libraries and without a lock. Pages of the last
// committed state are kept in memory. Of the file itself only the meta pages are
// mapped, to see whether there is a later state; a fault there is no harm.
//
// A file that is truncated, overwritten or damaged under a reader ends in an
// error here, where the libraries end the process: in C by an assertion or a
// SIGBUS, in Go by an exhausted stack. No length and no page number in the file
// is trusted.
//
// Reading without a lock is safe because a writer never changes the pages of the
// last committed state: it writes new pages, makes them durable, and then
// switches one of two meta pages. A reader therefore looks at the meta pages
// before and after, and starts over when they have changed. Neither does a
// reader wait for a writer, nor a writer for readers.
//
// Before the library of a format writes to a file, Check looks whether that is
// safe.
package pagetree
