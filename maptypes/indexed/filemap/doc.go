// Package filemap reads files through memory maps (mmap(2)) that cannot end the
// process, and that do not show what a file does not have.
//
// A page that is gone because the file was truncated faults. Inside a function
// that defers Recover the fault is a panic, which ends there: the caller reads
// the file in another way (pread(2)), which knows what is wrong. What lies
// between the end of a truncated file and the end of its page is zeroes that the
// file does not have: End tells.
//
// Bytes of a map must not leave the function that defers Recover: they are
// copied there.
package filemap
