// Package all lists the map types that this build has. There is no
// registration at init time: what is not in the list does not exist.
package all

import (
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/bolt"
	"github.com/proxymapd/proxymapd/maptypes/btree"
	"github.com/proxymapd/proxymapd/maptypes/cdb"
	"github.com/proxymapd/proxymapd/maptypes/cidr"
	"github.com/proxymapd/proxymapd/maptypes/debugmap"
	"github.com/proxymapd/proxymapd/maptypes/environ"
	"github.com/proxymapd/proxymapd/maptypes/fail"
	"github.com/proxymapd/proxymapd/maptypes/hash"
	"github.com/proxymapd/proxymapd/maptypes/http"
	"github.com/proxymapd/proxymapd/maptypes/inline"
	"github.com/proxymapd/proxymapd/maptypes/internalmap"
	"github.com/proxymapd/proxymapd/maptypes/ldap"
	"github.com/proxymapd/proxymapd/maptypes/lmdb"
	"github.com/proxymapd/proxymapd/maptypes/memcache"
	"github.com/proxymapd/proxymapd/maptypes/mongodb"
	"github.com/proxymapd/proxymapd/maptypes/mysql"
	"github.com/proxymapd/proxymapd/maptypes/obsolete"
	"github.com/proxymapd/proxymapd/maptypes/pcre"
	"github.com/proxymapd/proxymapd/maptypes/pgsql"
	"github.com/proxymapd/proxymapd/maptypes/pipemap"
	"github.com/proxymapd/proxymapd/maptypes/proxy"
	"github.com/proxymapd/proxymapd/maptypes/randmap"
	"github.com/proxymapd/proxymapd/maptypes/redis"
	"github.com/proxymapd/proxymapd/maptypes/regexp"
	"github.com/proxymapd/proxymapd/maptypes/socketmap"
	"github.com/proxymapd/proxymapd/maptypes/sqlite"
	"github.com/proxymapd/proxymapd/maptypes/static"
	"github.com/proxymapd/proxymapd/maptypes/tcp"
	"github.com/proxymapd/proxymapd/maptypes/texthash"
	"github.com/proxymapd/proxymapd/maptypes/unionmap"
	"github.com/proxymapd/proxymapd/maptypes/unixmap"
)

// Drivers returns the drivers of all map types, one for each line. A type that a
// build can leave out has two files with build tags beside this one, which say
// what stands in its line: the driver, or a maptypes.Driver with LeftOut set.
func Drivers() []maptypes.Driver {
	return []maptypes.Driver{
		bolt.Driver,
		btree.Driver,
		cdb.Driver,
		cidr.Driver,
		debugmap.Driver,
		environ.Driver,
		fail.Driver,
		hash.Driver,
		http.Driver,
		inline.Driver,
		internalmap.Driver,
		ldap.Driver,
		lmdb.Driver,
		memcache.Driver,
		mongodb.Driver,
		mysql.Driver,
		obsolete.DBM,
		obsolete.NetInfo,
		obsolete.NIS,
		obsolete.NISPlus,
		obsolete.SDBM,
		pcre.Driver,
		pgsql.Driver,
		pipemap.Driver,
		proxy.Driver,
		randmap.Driver,
		redis.Driver,
		regexp.Driver,
		socketmap.Driver,
		sqlite.Driver,
		static.Driver,
		tcp.Driver,
		texthash.Driver,
		unionmap.Driver,
		unixmap.Driver,
	}
}
