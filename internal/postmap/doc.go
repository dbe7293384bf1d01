// Package postmap is the postmap(1) command: it builds tables from source files,
// and queries, updates and lists them. Output, messages and exit status are those
// of Postfix 3.11.
package postmap
