// Package bdbmap is what the map types hash: and btree: share: tables in files
// of Berkeley DB, name.db, that Postfix makes and changes, and the levels of
// moving away from them (postconf(5), non_bdb_migration_level).
//
// Reading does without libdb (package bdb). Writing needs it: the build tag libdb
// and cgo.
package bdbmap
