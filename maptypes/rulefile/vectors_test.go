package rulefile_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/cidr"
	"github.com/proxymapd/proxymapd/maptypes/pcre"
	regexpmap "github.com/proxymapd/proxymapd/maptypes/regexp"
)

var registry = maptypes.NewRegistry(regexpmap.Driver, pcre.Driver, cidr.Driver)

// logEnv returns an environment that keeps what is logged.
func logEnv(daemon bool) (*maptypes.Env, *[]string) {
	var log []string
	line := func(level string) func(string, ...any) {
		return func(format string, args ...any) { log = append(log, level+fmt.Sprintf(format, args...)) }
	}
	return &maptypes.Env{
		Registry: registry, UTF8: true, Daemon: daemon,
		Infof: line(""), Warnf: line("warning: "), Errorf: line("error: "),
	}, &log
}

// record is a recorded conversation with Postfix; see testdata/vectors.
type record struct {
	Name    string
	Service string
	Files   map[string]string
	Steps   []struct{ Send, Recv any }
	Log     []string
}

// ours selects the conversations about our three types.
var ours = regexp.MustCompile(`^(content|lookup|lookup-missing|utf8|rhs-is-file-static|write-service)[-_](regexp|pcre|cidr)`)

func TestRecordedConversations(t *testing.T) {
	for _, version := range []string{"3.7", "3.11"} {
		for _, rec := range readRecords(t, "wire-"+version+".jsonl") {
			if version == "3.7" && strings.HasPrefix(rec.Name, "utf8-") {
				// In 3.7 the flags of the first client count for all; ours keeps
				// instances apart as 3.11 does.
				continue
			}
			t.Run(version+"/"+rec.Name, func(t *testing.T) { replay(t, rec) })
		}
	}
}

// readRecords returns the recorded conversations that are ours.
func readRecords(t *testing.T, name string) (records []record) {
	t.Helper()
	root, err := testenv.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(root, "testdata", "vectors", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var head struct{ Name string }
		if err := json.Unmarshal(lines.Bytes(), &head); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !ours.MatchString(head.Name) {
			continue
		}
		var rec record
		if err := json.Unmarshal(lines.Bytes(), &rec); err != nil {
			t.Fatalf("%s: %s: %v", name, head.Name, err)
		}
		records = append(records, rec)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return records
}

// replay sends the lookups of a conversation to the tables.
func replay(t *testing.T, rec record) {
	dir := t.TempDir()
	for name, content := range rec.Files {
		text := strings.ReplaceAll(latin1(content), "@DIR@", dir)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	mode := maptypes.ReadOnly
	if rec.Service == "proxywrite" {
		mode = maptypes.ReadWrite
	}
	env, log := logEnv(true)
	tables := map[string]*maptypes.Handle{}
	asked := 0
	for _, step := range rec.Steps {
		send, _ := step.Send.(string)
		recv, _ := step.Recv.(string)
		req, want := attributes(send, dir), attributes(recv, dir)
		spec := req["table"]
		for strings.HasPrefix(spec, "proxy:") {
			spec = strings.TrimPrefix(spec, "proxy:")
		}
		kind, _, _ := strings.Cut(spec, ":")
		if req["request"] != "lookup" && req["request"] != "open" || !slices.Contains(registry.Types(), kind) {
			continue
		}
		instance := req["instance_flags"]
		if instance == "" && req["request"] == "open" {
			instance = req["flags"]
		}
		h := tables[spec+instance]
		if h == nil {
			flags := number(t, instance)
			if instance == "" {
				flags = number(t, req["flags"])
			}
			var err error
			if h, err = registry.Open(env, spec, mode, flags); err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			tables[spec+instance] = h
			if instance != "" && req["request"] == "open" {
				// Lookups in the older form do not say which instance.
				tables[spec] = h
			}
		}
		asked++
		if req["request"] == "open" {
			// Bit 0, which 3.11 adds for a table that is not there, is the service's.
			if got := h.Flags() &^ maptypes.FlagSurrogate; got != number(t, want["flags"])&^maptypes.FlagDupWarn {
				t.Errorf("open %s: flags %v, Postfix says %s", spec, got, want["flags"])
			}
			continue
		}
		r := maptypes.Request{Key: []byte(req["key"]), Flags: number(t, req["flags"])}
		value, err := h.Lookup(context.Background(), &r)
		if reason := maptypes.Reason(err); reason != "" {
			*log = append(*log, "warning: "+reason)
		}
		if status := wireStatus(err); status != want["status"] || string(value) != want["value"] {
			t.Errorf("lookup %q in %s: status %s, value %q; Postfix says status %s, value %q",
				req["key"], spec, status, value, want["status"], want["value"])
		}
	}
	if asked == 0 {
		t.Fatal("no request for our tables")
	}
	checkLog(t, rec, *log, dir)
}

// checkLog compares what was logged about patterns. Lines about keys that are
// not UTF-8 are the layer's, and those about other tables not ours.
func checkLog(t *testing.T, rec record, log []string, dir string) {
	about := func(line string) bool {
		return strings.Contains(line, dir) && !strings.Contains(line, "UTF-8") && !strings.Contains(line, "static:")
	}
	var want, got []string
	for _, line := range rec.Log {
		if line = strings.ReplaceAll(line, "@DIR@", dir); about(line) {
			want = append(want, line)
		}
	}
	for _, line := range log {
		if about(line) {
			got = append(got, line)
		}
	}
	if rec.Service == "proxywrite" {
		// We do not send the updates, which Postfix warns about as well.
		want, got = slices.Compact(want), slices.Compact(got)
	}
	if !slices.Equal(got, want) {
		t.Errorf("log:\n  %s\nPostfix:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// attributes splits name NUL value NUL ...
func attributes(text, dir string) map[string]string {
	fields := strings.Split(strings.ReplaceAll(latin1(text), "@DIR@", dir), "\x00")
	attrs := map[string]string{}
	for i := 0; i+1 < len(fields) && fields[i] != ""; i += 2 {
		attrs[fields[i]] = fields[i+1]
	}
	return attrs
}

// latin1 undoes the mapping of one byte to one character.
func latin1(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

func number(t *testing.T, s string) maptypes.Flags {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return maptypes.Flags(n)
}

func wireStatus(err error) string {
	switch maptypes.Class(err) {
	case nil:
		return "0"
	case maptypes.ErrNotFound:
		return "1"
	case maptypes.ErrRetry:
		return "2"
	default:
		return "5"
	}
}
