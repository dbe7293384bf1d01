// Package check is postmap --check: it finds the tables that main.cf and master.cf name and tries each of them as the
// process would that opens it in service: type, permissions, syntax, approval by proxymap(8), age of the index, and one
// answer. It changes nothing, and it does not ask a running mail system.
package check
