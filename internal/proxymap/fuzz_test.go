package proxymap_test

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/internal/proxymap"
	"github.com/proxymapd/proxymapd/maptypes"
)

// FuzzApproval sends whatever a client may send and checks that no table is
// opened but the approved one, and that the connection's end is orderly.
func FuzzApproval(f *testing.F) {
	for _, table := range []string{
		"watch:ok", "proxy:watch:ok", "proxy:proxy:watch:ok", "watch:no", "WATCH:ok", "watch:ok ", " watch:ok", "watch:",
		"unionmap:{watch:ok}", "proxy:unionmap:{proxy:watch:no}", "pipemap:{watch:ok,watch:no}", "{watch:ok}", "watch:ok\n", "watch", ":", "",
	} {
		f.Add([]byte("request\x00open\x00table\x00" + table + "\x00flags\x0016448\x00\x00"))
		f.Add([]byte("request\x00lookup\x00table\x00" + table + "\x00instance_flags\x000\x00flags\x0016448\x00key\x00k\x00\x00"))
		f.Add([]byte("request\x00update\x00table\x00" + table + "\x00flags\x0016448\x00key\x00k\x00value\x00v\x00\x00"))
	}
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	f.Fuzz(func(t *testing.T, requests []byte) {
		watch := maptypes.Driver{
			Type: "watch",
			Open: func(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
				if name != "ok" {
					t.Errorf("watch:%q was opened", name)
				}
				return &maptypes.Opened{Table: countingTable{}, Flags: flags | maptypes.FlagFixed}, nil
			},
		}
		for _, service := range []string{proxymap.ReadService, proxymap.WriteService} {
			params := config.New("/nonexistent", map[string]string{
				"proxy_read_maps": "proxy:watch:ok", "proxy_write_maps": "proxy:watch:ok", "smtputf8_enable": "yes",
			})
			server, err := proxymap.New(service, params, []maptypes.Driver{watch}, logger)
			if err != nil {
				t.Fatal(err)
			}
			talk(t, server, requests)
			server.Close()
		}
	})
}

// talk sends bytes to a server and closes the sending side.
func talk(t *testing.T, server *proxymap.Server, requests []byte) {
	t.Helper()
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer theirs.Close()
		server.ServeConn(context.Background(), theirs)
	}()
	go func() {
		ours.SetWriteDeadline(time.Now().Add(5 * time.Second))
		ours.Write(requests)
		ours.Close()
	}()
	reply, _ := io.ReadAll(ours)
	<-done
	if !strings.HasPrefix(string(reply), "protocol\x00proxymap_protocol\x00\x00") && len(reply) > 0 {
		t.Errorf("the connection began with %q", reply)
	}
}
