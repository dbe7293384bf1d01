package rulefile_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
)

// commandRecord is one recorded run of postmap; see testdata/vectors.
type commandRecord struct {
	Name   string
	Argv   []string
	Files  map[string]string
	Stdin  string
	Result *struct {
		Stdout, Stderr string
		Exit           int
	}
	Results map[string]any
}

var (
	queries = regexp.MustCompile(`^(errors|ro|rhs-file|message-\S+)-(regexp|pcre|cidr)[-/]`)
	// answer is an answer in the output about a message, whose keys may have
	// several lines.
	answer = regexp.MustCompile(`(?s)(.+?)\t((?:first|second|third|fourth) \w+|delim)\n`)
)

// TestRecordedQueries does the lookups of recorded `postmap -q` runs.
func TestRecordedQueries(t *testing.T) {
	count := 0
	for _, rec := range readCommands(t) {
		if len(rec.Argv) >= 4 && slices.Contains(rec.Argv, "-q") && rec.Result != nil {
			count++
			t.Run(rec.Name, func(t *testing.T) { repeatQuery(t, rec) })
		}
	}
	if count < 30 {
		t.Errorf("only %d records", count)
	}
}

func readCommands(t *testing.T) (records []commandRecord) {
	t.Helper()
	root, err := testenv.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(root, "testdata", "vectors", "postmap-cli.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var head struct{ Name string }
		if err := json.Unmarshal(lines.Bytes(), &head); err != nil {
			t.Fatal(err)
		}
		if !queries.MatchString(head.Name) {
			continue
		}
		var rec commandRecord
		if err := json.Unmarshal(lines.Bytes(), &rec); err != nil {
			t.Fatalf("%s: %v", head.Name, err)
		}
		records = append(records, rec)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return records
}

func repeatQuery(t *testing.T, rec commandRecord) {
	dir := t.TempDir()
	expand := func(s string) string { return strings.ReplaceAll(latin1(s), "@DIR@", dir) }
	for name, content := range rec.Files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(expand(content)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	env, log := logEnv(false)
	flags := maptypes.FlagLock | maptypes.FlagFoldFix | maptypes.FlagUTF8Request
	if slices.Contains(rec.Argv, "-F") {
		flags |= maptypes.FlagSrcRHSIsFile
	}
	h, err := registry.Open(env, expand(rec.Argv[len(rec.Argv)-1]), maptypes.ReadOnly, flags)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	want := expectations(rec, expand)
	if len(want) == 0 {
		t.Fatal("no lookup in the record")
	}
	for key, value := range want {
		got, err := h.Lookup(context.Background(), &maptypes.Request{Key: []byte(key), Flags: h.Flags()})
		if err != nil && maptypes.Class(err) != maptypes.ErrNotFound {
			t.Errorf("key %q: %v", key, err)
		}
		if flags&maptypes.FlagSrcRHSIsFile != 0 {
			got = decode(t, got)
		}
		if string(got) != value {
			t.Errorf("key %q: %q, postmap says %q", key, got, value)
		}
	}
	var warnings []string
	for _, line := range *log {
		warnings = append(warnings, "postmap: "+line+"\n")
	}
	stderr := strings.ReplaceAll(expand(rec.Result.Stderr), "postmap: warning: ignoring -m option without -b or -h\n", "")
	if got, postmap := strings.Join(warnings, ""), stderr; got != postmap {
		t.Errorf("log:\n%s\npostmap:\n%s", got, postmap)
	}
}

// expectations returns what postmap answered, by key; "" stands for not found.
func expectations(rec commandRecord, expand func(string) string) map[string]string {
	want := map[string]string{}
	stdout := expand(rec.Result.Stdout)
	key := expand(rec.Argv[slices.Index(rec.Argv, "-q")+1])
	if key != "-" {
		want[key] = strings.TrimSuffix(stdout, "\n")
		return want
	}
	if strings.HasPrefix(rec.Name, "message-") {
		for _, m := range answer.FindAllStringSubmatch(stdout, -1) {
			want[m[1]] = m[2]
		}
		return want
	}
	for key := range strings.Lines(expand(rec.Stdin)) {
		if key = strings.TrimSuffix(key, "\n"); key != "" {
			want[key] = ""
		}
	}
	for line := range strings.Lines(stdout) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		want[key] = value
	}
	return want
}
