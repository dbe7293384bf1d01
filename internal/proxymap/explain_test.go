package proxymap_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/proxymapd/proxymapd/protocol"
)

// TestExplain asks the service how it answers: for approved tables only, on both services, whatever comes of the lookup.
func TestExplain(t *testing.T) {
	for _, name := range []string{"proxymap", "proxywrite"} {
		var opens atomic.Int32
		s := startServiceWith(t, name, shortDir(t), map[string]string{
			"proxy_read_maps": "proxy:count:read proxy:count:x", "proxy_write_maps": "proxy:count:write proxy:count:x",
		}, countingDriver(&opens, nil))
		c := s.client()
		for key, want := range map[string]protocol.Status{"k": protocol.StatusOK, "panic": protocol.StatusConfig, "nul": protocol.StatusConfig} {
			reply, err := c.Explain(context.Background(), "count:x", 0, 0, []byte(key))
			if err != nil && protocolStatus(err) != want || err == nil && want != protocol.StatusOK {
				t.Errorf("%s %s: %v, want %v", name, key, err, want)
			}
			if !strings.Contains(string(reply.Trace), `"what":"lookup of \"`+key+`\""`) {
				t.Errorf("%s %s: trace %s", name, key, reply.Trace)
			}
		}
		before := opens.Load()
		denied := "count:write"
		if name == "proxywrite" {
			denied = "count:read"
		}
		for _, table := range []string{denied, "proxy:" + denied, "count:other", "unionmap:{count:x}"} {
			reply, err := c.Explain(context.Background(), table, 0, 0, []byte("k"))
			if protocolStatus(err) != protocol.StatusDeny || len(reply.Trace)+len(reply.Value) > 0 {
				t.Errorf("%s %s: %+v %v, want DENY", name, table, reply, err)
			}
		}
		if n := opens.Load(); n != before {
			t.Errorf("%s: a table was opened that is not approved", name)
		}
	}
}

// TestExplainSwitchedOff: the answer is that of a service that does not know the request.
func TestExplainSwitchedOff(t *testing.T) {
	var opens atomic.Int32
	s := startServiceWith(t, "proxymap", shortDir(t), map[string]string{"proxy_read_maps": "proxy:count:x", "proxymapd_explain": "no"},
		countingDriver(&opens, nil))
	reply, err := s.client().Explain(context.Background(), "count:x", 0, 0, []byte("k"))
	if protocolStatus(err) != protocol.StatusBad || len(reply.Trace)+len(reply.Value) > 0 || opens.Load() != 0 {
		t.Errorf("%+v %v", reply, err)
	}
}
