package mysql_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/mysql"
)

// BenchmarkLookup is one lookup by one of 16 clients, with one connection for all of them, as with Postfix's one worker,
// and with one for each; with one query at a time on a connection, and with many.
func BenchmarkLookup(b *testing.B) {
	testenv.Require(b, testenv.Postfix)
	db := postfixtest.StartMariaDB(b)
	var rows []string
	for i := range 1000 {
		rows = append(rows, fmt.Sprintf("('user%d@example.com','mailbox')", i))
	}
	db.SQL("CREATE TABLE bench (k VARCHAR(80) PRIMARY KEY, v VARCHAR(80)); INSERT INTO bench VALUES " + strings.Join(rows, ",") + ";")
	env := &maptypes.Env{Registry: maptypes.NewRegistry(mysql.Driver), Infof: b.Logf, Warnf: b.Logf, Errorf: b.Logf}
	for _, limits := range []struct{ connections, pipeline int }{{1, 1}, {1, 32}, {16, 1}} {
		name := fmt.Sprintf("connections=%d/pipeline=%d", limits.connections, limits.pipeline)
		b.Run(name, func(b *testing.B) {
			file := filepath.Join(b.TempDir(), "t.cf")
			text := fmt.Sprintf("%squery = SELECT v FROM bench WHERE k='%%s'\nmax_connections = %d\npipeline = %d\n", db.Config(), limits.connections, limits.pipeline)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				b.Fatal(err)
			}
			h, err := env.Registry.Open(env, "mysql:"+file, maptypes.ReadOnly, flags)
			if err != nil {
				b.Fatal(err)
			}
			defer h.Close()
			var next atomic.Int64
			b.ReportAllocs()
			b.SetParallelism(8) // of two processors each
			b.RunParallel(func(pb *testing.PB) {
				r := &maptypes.Request{Flags: h.Flags()}
				for pb.Next() {
					r.Key = fmt.Appendf(r.Key[:0], "user%d@example.com", next.Add(1)%1000)
					if value, err := h.Lookup(context.Background(), r); string(value) != "mailbox" || err != nil {
						b.Errorf("lookup of %s: %q %v", r.Key, value, err)
						return
					}
				}
			})
		})
	}
}
