package cache_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/maptypes/cache"
)

func TestParse(t *testing.T) {
	limits := func(ttl, negative, stale time.Duration, bytes int64) cache.Limits {
		return cache.Limits{TTL: ttl, NegativeTTL: negative, StaleOnError: stale, MaxBytes: bytes}
	}
	usual := limits(time.Minute, 10*time.Second, 0, 16<<20)
	tests := []struct {
		list string
		want []cache.Entry
	}{
		{"", nil},
		{" , \n", nil},
		{"mysql:/etc/postfix/a.cf", []cache.Entry{{Table: "mysql:/etc/postfix/a.cf", Limits: usual}}},
		{"proxy:mysql:/a", []cache.Entry{{Table: "mysql:/a", Limits: usual}}},
		{"type:name ttl=5m negative_ttl=0 stale_on_error=1h max_bytes=1k", []cache.Entry{{Table: "type:name", Limits: limits(5*time.Minute, 0, time.Hour, 1024)}}},
		{"a:b ttl=5", []cache.Entry{{Table: "a:b", Limits: limits(5*time.Second, 5*time.Second, 0, 16<<20)}}},
		{"a:b ttl=5 negative_ttl=1h", []cache.Entry{{Table: "a:b", Limits: limits(5*time.Second, time.Hour, 0, 16<<20)}}},
		{"a:b max_bytes=2G, c:d\n max_bytes=3M ,e:f max_bytes=77", []cache.Entry{
			{Table: "a:b", Limits: limits(time.Minute, 10*time.Second, 0, 2<<30)},
			{Table: "c:d", Limits: limits(time.Minute, 10*time.Second, 0, 3<<20)},
			{Table: "e:f", Limits: limits(time.Minute, 10*time.Second, 0, 77)},
		}},
		{"{ a:b ttl=30s } {c:d, ttl=20s}, e:f ttl=40s, { g:h }", []cache.Entry{
			{Table: "a:b", Limits: limits(30*time.Second, 10*time.Second, 0, 16<<20)},
			{Table: "c:d", Limits: limits(20*time.Second, 10*time.Second, 0, 16<<20)},
			{Table: "e:f", Limits: limits(40*time.Second, 10*time.Second, 0, 16<<20)},
			{Table: "g:h", Limits: usual},
		}},
		{"unionmap:{a:b, c:d} ttl=60s, { pipemap:{a:b, c:d} }", []cache.Entry{
			{Table: "unionmap:{a:b, c:d}", Limits: usual}, {Table: "pipemap:{a:b, c:d}", Limits: usual},
		}},
	}
	for _, tt := range tests {
		got, err := cache.Parse(tt.list)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q:\ngot  %v, %v\nwant %v", tt.list, got, err, tt.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct{ list, entry, reason string }{
		{"a:b, mysql ttl=60s", "mysql ttl=60s", `expecting "type:name" form instead of "mysql"`},
		{"a:b, ttl=60s", "ttl=60s", `expecting "type:name" form`},
		{"a:b ttl=60s c:d ttl=10s", "a:b ttl=60s c:d ttl=10s", `expecting name=value instead of "c:d" (entries are separated by commas)`},
		{"a:b ttl=60s ttl=10s", "a:b ttl=60s ttl=10s", "ttl is set twice"},
		{"a:b, proxy:a:b", "proxy:a:b", "listed twice"},
		{"a:b ttl=0", "a:b ttl=0", "at least 1s"},
		{"a:b ttl=5x", "a:b ttl=5x", `bad time value "5x"`},
		{"a:b ttl=", "a:b ttl=", "bad time value"},
		{"a:b stale_on_error=-1", "a:b stale_on_error=-1", "bad time value"},
		{"a:b size=1M", "a:b size=1M", `unknown name "size"`},
		{"a:b max_bytes=0", "a:b max_bytes=0", "bad size"},
		{"a:b max_bytes=16MB", "a:b max_bytes=16MB", "bad size"},
		{"a:b max_bytes=", "a:b max_bytes=", "bad size"},
		{"a:b max_bytes=-1K", "a:b max_bytes=-1K", "bad size"},
		{"a:b max_bytes=9999999999G", "a:b max_bytes=9999999999G", "bad size"},
		{"{ a:b ttl=60s", "{ a:b ttl=60s", "missing '}'"},
		{"{ a:b }x", "{ a:b }x", "syntax error after '}'"},
		{"{}", "{}", `expecting "type:name" form`},
	}
	for _, tt := range tests {
		_, err := cache.Parse(tt.list)
		if err == nil || !strings.Contains(err.Error(), tt.reason) || !strings.HasSuffix(err.Error(), ` in "`+tt.entry+`"`) {
			t.Errorf("%q: got %v, want %s in %q", tt.list, err, tt.reason, tt.entry)
		}
	}
}

// FuzzParse: whatever is accepted has limits that make sense, and names each table once.
func FuzzParse(f *testing.F) {
	f.Add("type:name ttl=60s negative_ttl=10s stale_on_error=1h max_bytes=16M")
	f.Add("{ a:b ttl=30s } {c:d, ttl=20s}, e:f ttl=40s, { unionmap:{x:y, y:z} }")
	f.Add("a:b max_bytes=9223372036854775807K,{,}")
	f.Fuzz(func(t *testing.T, list string) {
		entries, err := cache.Parse(list)
		seen := map[string]bool{}
		for _, e := range entries {
			if err != nil || seen[e.Table] || !strings.Contains(e.Table, ":") || e.TTL <= 0 || e.NegativeTTL < 0 || e.StaleOnError < 0 || e.MaxBytes <= 0 {
				t.Errorf("%q: %+v, %v", list, e, err)
			}
			seen[e.Table] = true
		}
	})
}
