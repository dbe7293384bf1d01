package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const vectors = "../../testdata/vectors"

// latin1 is a byte string. In the recordings it has one character per byte, and may be a list in which long runs of
// equal bytes are folded.
type latin1 string

func (s *latin1) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err == nil {
		*s = toBytes(text)
		return nil
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	for _, part := range parts {
		var run struct{ Repeat []any }
		if err := json.Unmarshal(part, &run); err == nil {
			*s += toBytes(strings.Repeat(run.Repeat[0].(string), int(run.Repeat[1].(float64))))
			continue
		}
		if err := json.Unmarshal(part, &text); err != nil {
			return err
		}
		*s += toBytes(text)
	}
	return nil
}

func toBytes(text string) latin1 {
	b := make([]byte, 0, len(text))
	for _, r := range text {
		b = append(b, byte(r))
	}
	return latin1(b)
}

// result is what a command printed.
type result struct {
	Stdout latin1
	Stderr latin1
	Exit   int
}

// recorded holds a result per Postfix version, or one for all.
type recorded struct {
	Result  *result
	Results map[string]*result
}

func (r recorded) version(v string) *result {
	if r.Result != nil {
		return r.Result
	}
	return r.Results[v]
}

// differences lists the records whose 3.7.11 result is not ours, because 3.11 is what we follow. There are no
// differences from the recordings of 3.11.4.
var differences = map[string]string{
	"comment-after-value":     "3.7 does not warn about #comment after other text",
	"value-braces":            "3.7 names main.cf without its directory",
	"proxy-read-maps-default": "3.7 has a shorter default",
}

var versions = []string{"3.7.11", "3.11.4"}

// readRecords calls f for each line of a recording.
func readRecords(t *testing.T, name string, f func(line []byte)) {
	t.Helper()
	file, err := os.Open(filepath.Join(vectors, name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		f(lines.Bytes())
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

func TestRecordedMain(t *testing.T) {
	count := 0
	readRecords(t, "maincf.jsonl", func(line []byte) {
		var record struct {
			Name     string
			Files    map[string]latin1
			Commands []struct {
				Argv []string
				recorded
			}
		}
		if err := json.Unmarshal(line, &record); err != nil {
			t.Fatal(err)
		}
		t.Run(record.Name, func(t *testing.T) {
			if record.Files["master.cf"] == "" {
				record.Files["master.cf"] = "proxymap  unix  -       -       n       -       -       proxymap\n"
			}
			dir := writeFiles(t, record.Files)
			for _, c := range record.Commands {
				compare(t, record.Name, dir, c.Argv[1:], c.recorded)
				count++
			}
		})
	})
	if count == 0 {
		t.Error("no records")
	}
}

func TestRecordedMaster(t *testing.T) {
	count := 0
	readRecords(t, "mastercf.jsonl", func(line []byte) {
		type commands struct {
			M  *result `json:"postconf -M"`
			Mf *result `json:"postconf -Mf"`
		}
		var record struct {
			Name    string
			Files   map[string]latin1
			Result  *commands
			Results map[string]*commands
		}
		if err := json.Unmarshal(line, &record); err != nil {
			t.Fatal(err)
		}
		t.Run(record.Name, func(t *testing.T) {
			m, mf := recorded{Results: map[string]*result{}}, recorded{Results: map[string]*result{}}
			for _, v := range versions {
				r := record.Results[v]
				if record.Result != nil {
					r = record.Result
				}
				m.Results[v], mf.Results[v] = r.M, r.Mf
			}
			dir := writeFiles(t, record.Files)
			compare(t, record.Name, dir, []string{"-c", dir, "-M"}, m)
			compare(t, record.Name, dir, []string{"-c", dir, "-Mf"}, mf)
			count++
		})
	})
	if count == 0 {
		t.Error("no records")
	}
}

// writeFiles creates a configuration directory.
func writeFiles(t *testing.T, files map[string]latin1) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("MAIL_CONFIG", dir)
	for name, text := range files {
		text := strings.ReplaceAll(string(text), "@DIR@", dir)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// compare runs a command and compares it with the recordings of both versions.
func compare(t *testing.T, name, dir string, args []string, want recorded) {
	t.Helper()
	args = slices.Clone(args)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "@DIR@", dir)
	}
	var stdout, stderr bytes.Buffer
	got := result{Exit: run(args, &stdout, &stderr)}
	got.Stdout = latin1(strings.ReplaceAll(stdout.String(), dir, "@DIR@"))
	got.Stderr = latin1(strings.ReplaceAll(stderr.String(), dir, "@DIR@"))
	reason := differences[strings.Split(name, "/")[0]]
	if reason != "" && want.Result != nil {
		t.Errorf("no difference between the versions is recorded, but one is listed: %s", reason)
	}
	for _, v := range versions {
		w := want.version(v)
		if same(got, *w) || v == "3.7.11" && reason != "" {
			continue
		}
		t.Errorf("postconf %q, Postfix %s:\ngot  %d %q\n     %q\nwant %d %q\n     %q", args[2:], v,
			got.Exit, got.Stdout, got.Stderr, w.Exit, w.Stdout, w.Stderr)
	}
}

// same compares results. Postfix writes warnings in random order, and some of them a random number of times.
func same(a, b result) bool {
	return a.Exit == b.Exit && a.Stdout == b.Stdout && slices.Equal(lineSet(a.Stderr), lineSet(b.Stderr))
}

func lineSet(text latin1) []string {
	lines := strings.Split(string(text), "\n")
	slices.Sort(lines)
	return slices.Compact(lines)
}
