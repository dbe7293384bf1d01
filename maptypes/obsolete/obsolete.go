// Package obsolete has the map types of Postfix that are not supported, because
// the systems or libraries behind them are gone or not kept. Each is refused with
// what to do instead.
package obsolete

import "github.com/proxymapd/proxymapd/maptypes"

// The drivers. None opens a table.
var (
	// DBM is the map type dbm: (ndbm files).
	DBM = maptypes.Driver{
		Type:    "dbm",
		LeftOut: "dbm files are not supported; make a cdb: or lmdb: table from the text file with postmap(1)",
	}
	// NetInfo is the map type netinfo: of NeXT and old Apple systems.
	NetInfo = maptypes.Driver{
		Type:    "netinfo",
		LeftOut: "NetInfo is not supported; export the directory into a text file and make a cdb: or lmdb: table from it with postmap(1)",
	}
	// NIS is the map type nis:.
	NIS = maptypes.Driver{
		Type: "nis",
		LeftOut: "NIS is not supported; use unix:passwd.byname or unix:group.byname with \"nis\" in nsswitch.conf(5), " +
			"or make a cdb: or lmdb: table from the output of \"ypcat -k\" with postmap(1)",
	}
	// NISPlus is the map type nisplus:.
	NISPlus = maptypes.Driver{
		Type:    "nisplus",
		LeftOut: "NIS+ is not supported; move the table to an ldap: server, or make a cdb: or lmdb: table from the output of niscat(1) with postmap(1)",
	}
	// SDBM is the map type sdbm:.
	SDBM = maptypes.Driver{
		Type:    "sdbm",
		LeftOut: "sdbm files are not supported; make a cdb: or lmdb: table from the text file with postmap(1)",
	}
)
