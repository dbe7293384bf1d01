// Package indexed is what the map types share that keep a table in an indexed
// file made from a text source (cdb, lmdb, bolt): trailing NUL bytes, duplicate
// keys, file locks, the warning about a source that is newer than the file, and
// building a file aside and renaming it.
package indexed
