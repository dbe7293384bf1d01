package proxymap

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proxymapd/proxymapd/internal/config"
)

func TestApprove(t *testing.T) {
	dir := t.TempDir()
	list := filepath.Join(dir, "list")
	if err := os.WriteFile(list, []byte("proxy:static:f1\n# proxy:static:f2\n  proxy:static:f3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	loop := filepath.Join(dir, "loop")
	if err := os.WriteFile(loop, []byte(loop+" proxy:static:in-loop\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		params  map[string]string
		writer  bool
		want    []string
		warning string
	}{
		{
			name:   "only what is proxied",
			params: map[string]string{"proxy_read_maps": "proxy:static:a, texthash:/b proxy:proxy:static:c, [::1] proxy:"},
			want:   []string{"", "static:a", "static:c"},
		},
		{
			name:   "parameters are expanded",
			params: map[string]string{"proxy_read_maps": "$virtual_alias_maps $x", "virtual_alias_maps": "proxy:static:a", "x": "${y?proxy:static:b}", "y": "1"},
			want:   []string{"static:a", "static:b"},
		},
		{
			name:   "members of composites",
			params: map[string]string{"proxy_read_maps": "unionmap:{proxy:static:a, static:b, pipemap:{proxy:static:c}}, proxy:unionmap:{static:d, static:e} unionmap:static:x"},
			want:   []string{"static:a", "static:c", "unionmap:{static:d, static:e}"},
		},
		{
			name:   "attributes in braces",
			params: map[string]string{"proxy_read_maps": "{ proxy:static:a attr=x proxy:static:b } { }"},
			want:   []string{"static:a"},
		},
		{
			name:    "text after a brace",
			params:  map[string]string{"proxy_read_maps": "{proxy:static:a}x, proxy:static:b"},
			want:    []string{"static:b"},
			warning: `bad syntax in proxy_read_maps content: syntax error after '}' in "{proxy:static:a}x"`,
		},
		{
			name:    "a brace that is not closed",
			params:  map[string]string{"proxy_read_maps": "unionmap:{proxy:static:a"},
			warning: `bad syntax in proxy_read_maps content: missing '}' in "{proxy:static:a"`,
		},
		{
			name:    "file contents",
			params:  map[string]string{"proxy_read_maps": list + " /nonexistent/list"},
			want:    []string{"static:f1", "static:f3"},
			warning: "open /nonexistent/list: no such file or directory",
		},
		{
			name:    "a file that names itself",
			params:  map[string]string{"proxy_read_maps": loop},
			want:    []string{"static:in-loop"},
			warning: "nested more than",
		},
		{
			name: "restriction classes",
			params: map[string]string{
				"proxy_read_maps": "", "smtpd_restriction_classes": "one, two, none", "one": "check_client_access proxy:static:a, permit",
				"two": "check_helo_access static:b", "three": "check_helo_access proxy:static:c",
			},
			want: []string{"static:a"},
		},
		{
			name:   "the write service has a list of its own",
			params: map[string]string{"proxy_read_maps": "proxy:static:a", "proxy_write_maps": "proxy:lmdb:/b", "smtpd_restriction_classes": "one", "one": "proxy:static:c"},
			writer: true,
			want:   []string{"lmdb:/b"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var warnings []string
			a, err := approve(config.New(dir, tt.params), tt.writer, func(format string, args ...any) {
				warnings = append(warnings, fmt.Sprintf(format, args...))
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := slices.Sorted(maps.Keys(a.origin)); !slices.Equal(got, tt.want) {
				t.Errorf("approved %q, want %q", got, tt.want)
			}
			if joined := strings.Join(warnings, "\n"); !strings.Contains(strings.ToLower(joined), strings.ToLower(tt.warning)) || tt.warning == "" && joined != "" {
				t.Errorf("warnings %q, want %q", joined, tt.warning)
			}
		})
	}
}

func TestRefusalsAreLoggedOncePerMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines []string
		r := refusals{warnf: func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }}
		r.log("static:a\nfatal: forged")
		r.log("static:a\nfatal: forged")
		r.log("static:b")
		want := []string{
			`request for unapproved table: "static:a?fatal: forged"`,
			"to approve this table for read-only access, list proxy:static:a?fatal: forged in main.cf:proxy_read_maps",
			`request for unapproved table: "static:b"`,
			"to approve this table for read-only access, list proxy:static:b in main.cf:proxy_read_maps",
		}
		if !slices.Equal(lines, want) {
			t.Errorf("got %q\nwant %q", lines, want)
		}
		lines = nil
		time.Sleep(time.Minute)
		r.log("static:b")
		if len(lines) != 3 || lines[0] != "1 more requests for unapproved tables in the last 1m0s" {
			t.Errorf("a minute later: %q", lines)
		}
		lines = nil
		for i := range 100_000 {
			r.log(fmt.Sprintf("static:%d", i))
		}
		if len(lines) > 2*maxRefusals {
			t.Errorf("%d lines for made-up names", len(lines))
		}
	})
}
