package check

import (
	"strings"

	"github.com/proxymapd/proxymapd/maptypes/tablecf"
)

// serverName returns what tells the servers of tables apart, "" for a table without one.
func (t *trial) serverName() string {
	switch {
	case t.typ == "socketmap":
		return t.typ + ":" + t.name[:max(strings.LastIndexByte(t.name, ':'), 0)]
	case !isClient[t.typ]:
		return ""
	}
	settings, err := tablecf.Load(newEnv(t.params, t.registry, func(string) {}), t.name)
	if err != nil {
		return ""
	}
	name := t.typ
	for _, setting := range []string{"hosts", "server_host", "server_port", "memcache", "uri", "url", "dbpath"} {
		name += "\x00" + settings.String(setting, "")
	}
	return name
}

// shareReasons gives the tables that did not say why they cannot answer the reason that another table with the same
// server gave: it is told once, when the server is found to be down.
func shareReasons(results []result) {
	reasons := map[string]Finding{}
	for _, r := range results {
		for _, f := range r.Findings {
			if f.Kind == kindLookup && !r.mute {
				reasons[r.server] = f
			}
		}
	}
	for _, r := range results {
		if reason, ok := reasons[r.server]; ok && r.mute && r.server != "" {
			r.Findings[0] = reason
		}
	}
}
