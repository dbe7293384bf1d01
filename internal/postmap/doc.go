// Package postmap is the postmap(1) command: it builds tables from source files,
// and queries, updates and lists them. It is postalias(1), too, which does the same
// with tables that are built from alias files. Output, messages and exit status are
// those of Postfix 3.11.
package postmap
