package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// record is one run of Postfix's postmap, see testdata/vectors/README.md.
type record struct {
	Name          string
	Argv          []any
	Stdin         any
	Files         map[string]any
	Modes         map[string]string
	Main          map[string]string `json:"main_cf"`
	Setup         [][]any
	SetupStdin    map[string]any `json:"setup_stdin"`
	AfterSetup    string         `json:"after_setup"`
	Result        *result
	Results       map[string]*result
	Unordered     bool `json:"arbitrary_order"`
	NeedsProxymap bool `json:"needs_proxymap"`
}

// result is what a run did.
type result struct {
	Stdout  any
	Stderr  any // nil where it is not to be compared
	Exit    int
	Created map[string]string
	CDB     string `json:"cdb_gzip_b64"`
}

// release is the Postfix whose results ours equal.
const release = "3.11.4"

func (r *record) want() *result {
	if r.Result != nil {
		return r.Result
	}
	return r.Results[release]
}

// plain is the name without the number of the value set.
func (r *record) plain() string {
	name, _, _ := strings.Cut(r.Name, "/")
	return name
}

// text decodes a byte string of the record. Those of records with a server are
// ordinary text.
func (r *record) text(v any) string {
	s := unfold(v)
	if r.NeedsProxymap {
		return s
	}
	return latin1(s)
}

func readRecords(t *testing.T) []*record {
	t.Helper()
	f, err := os.Open("../../testdata/vectors/postmap-cli.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []*record
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		r := &record{}
		if err := json.Unmarshal(lines.Bytes(), r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// unfold expands the runs of equal bytes in a string.
func unfold(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		var b strings.Builder
		for _, part := range v {
			m, ok := part.(map[string]any)
			if !ok {
				b.WriteString(unfold(part))
				continue
			}
			pair := m["repeat"].([]any)
			b.WriteString(strings.Repeat(unfold(pair[0]), int(pair[1].(float64))))
		}
		return b.String()
	}
	return ""
}

// latin1 returns the bytes that a string with one character for each stands for.
func latin1(s string) string {
	b := make([]byte, 0, len(s))
	for _, c := range s {
		b = append(b, byte(c))
	}
	return string(b)
}

// words returns a command line; dir is what @DIR@ stands for.
func words(t *testing.T, argv []any, dir string) []string {
	t.Helper()
	var list []string
	for _, word := range argv {
		text, ok := word.(string)
		if m, isBytes := word.(map[string]any); isBytes {
			text, ok = latin1(m["bytes"].(string)), true
		}
		if !ok {
			t.Fatalf("unknown form of a word: %v", word)
		}
		list = append(list, strings.ReplaceAll(text, "@DIR@", dir))
	}
	return list
}

// cdb returns the recorded cdb file.
func (r *result) cdb(t *testing.T) []byte {
	t.Helper()
	packed, err := base64.StdEncoding.DecodeString(r.CDB)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// sortedLines is text with its lines in order.
func sortedLines(text string) string {
	lines := slices.Collect(strings.Lines(text))
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// listing returns the files below a directory and their modes.
func listing(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		found[name] = octal(info.Mode())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
