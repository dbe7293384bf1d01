// Package maptypes defines lookup tables as Postfix knows them: a table is
// named "type:name", opened for reading or writing with flags, and answers
// lookup, update, delete and sequence requests.
//
// A Driver implements one type. Registry.Open turns "type:name" into a
// Handle, which is a driver's Table behind the layers that every table gets:
// UTF-8 checks and case folding, reload of changed files, a stand-in for a
// table that cannot be opened, and containment of panics.
//
// The package knows no driver; maptypes/all lists them.
package maptypes
