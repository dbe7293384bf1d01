package backend

import (
	"time"

	"github.com/proxymapd/proxymapd/maptypes/tablecf"
)

// Limits bound what a table takes from its servers. Tables that share a server
// may differ: then the smallest value holds for all of them, except for
// LookupTimeout and MaxLookups, which are each table's own.
type Limits struct {
	MaxConnections int           // to one server
	IdleInterval   time.Duration // after which an unused connection is closed
	Lifetime       time.Duration // after which a connection is not used again
	RetryInterval  time.Duration // that a server is skipped for when it is down
	LookupTimeout  time.Duration // after which a lookup is given up
	MaxLookups     int           // in progress, with those that wait for a connection; 0: 1000
	AllConnections int           // of this process, to all servers; 0: no limit
}

// AllConnections is the main.cf parameter that limits all connections of this
// process.
const AllConnections = "proxymapd_backend_connections"

// ReadLimits reads max_connections, idle_interval, connection_lifetime,
// retry_interval, lookup_timeout and max_lookups, and the limit in main.cf.
func ReadLimits(cf *tablecf.Settings) Limits {
	return Limits{
		MaxConnections: cf.Int("max_connections", 16, 1),
		IdleInterval:   cf.Seconds("idle_interval", time.Minute, time.Second),
		Lifetime:       cf.Seconds("connection_lifetime", time.Hour, time.Second),
		RetryInterval:  cf.Seconds("retry_interval", time.Minute, time.Second),
		LookupTimeout:  cf.Seconds("lookup_timeout", 5*time.Second, time.Second),
		MaxLookups:     cf.Int("max_lookups", maxLookups, 1),
		AllConnections: cf.MainInt(AllConnections, 0, 0),
	}
}

// strictest returns the smallest of each limit.
func (l Limits) strictest(o Limits) Limits {
	return Limits{
		MaxConnections: min(l.MaxConnections, o.MaxConnections),
		IdleInterval:   min(l.IdleInterval, o.IdleInterval),
		Lifetime:       min(l.Lifetime, o.Lifetime),
		RetryInterval:  min(l.RetryInterval, o.RetryInterval),
	}
}
