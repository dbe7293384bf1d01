package proxymap_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// record is one recorded conversation (testdata/vectors/README.md).
type record struct {
	Name           string            `json:"name"`
	Service        string            `json:"service"`
	MainCf         map[string]string `json:"main_cf"`
	Files          map[string]text   `json:"files"`
	Built          map[string]binary `json:"built"`
	Steps          []step            `json:"steps"`
	Log            []text            `json:"log"`
	RacyLog        bool              `json:"racy_log"`
	ArbitraryOrder bool              `json:"arbitrary_sequence_order"`
	HostDependent  bool              `json:"host_dependent"`
	Age            map[string]int    `json:"modified_seconds_ago"`
}

// step is one step of a conversation.
type step struct {
	Conn      string            `json:"conn"`
	Connect   string            `json:"connect"`
	WriteFile string            `json:"write_file"`
	Content   text              `json:"content"`
	Run       []string          `json:"run"`
	Built     map[string]binary `json:"files"`
	Sleep     float64           `json:"sleep_s"`
	Close     bool              `json:"close"`
	Shutdown  string            `json:"shutdown"`
	Send      *text             `json:"send"`
	Chunk     int               `json:"chunk"`
	DelayMs   int               `json:"delay_ms"`
	SendError any               `json:"send_error"`
	Recv      *text             `json:"recv"`
	EOF       bool              `json:"eof"`
	Timeout   bool              `json:"timeout"`
}

// text is a byte string: JSON text with one character per byte, or a list of
// such texts and {"repeat": [byte, count]}.
type text string

func (s *text) UnmarshalJSON(data []byte) error {
	if data[0] == '"' {
		var plain string
		if err := json.Unmarshal(data, &plain); err != nil {
			return err
		}
		*s = text(latin1(plain))
		return nil
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	for _, part := range parts {
		var run struct{ Repeat []any }
		if part[0] == '{' {
			if err := json.Unmarshal(part, &run); err != nil {
				return err
			}
			*s += text(strings.Repeat(latin1(run.Repeat[0].(string)), int(run.Repeat[1].(float64))))
			continue
		}
		var piece text
		if err := piece.UnmarshalJSON(part); err != nil {
			return err
		}
		*s += piece
	}
	return nil
}

// latin1 returns the bytes that the characters of s stand for.
func latin1(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

// binary is a file: gzip and base64.
type binary struct {
	Data string `json:"gzip_b64"`
}

func (f *binary) UnmarshalJSON(data []byte) error {
	if data[0] == '"' {
		return json.Unmarshal(data, &f.Data)
	}
	type plain binary
	return json.Unmarshal(data, (*plain)(f))
}

func (f binary) content(t *testing.T) []byte {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(f.Data)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// loadRecords reads the conversations recorded from one version of Postfix.
func loadRecords(t *testing.T, version string) []record {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "..", "testdata", "vectors", "wire-"+version+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var records []record
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatalf("%s: %v", lines.Text()[:60], err)
		}
		records = append(records, r)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return records
}

// install creates a record's files in dir.
func (r *record) install(t *testing.T, dir string) {
	t.Helper()
	for name, content := range r.Files {
		writeFile(t, dir, name, []byte(expand(string(content), dir)))
	}
	for name, f := range r.Built {
		writeFile(t, dir, name, f.content(t))
	}
	for name := range r.Files {
		r.age(t, dir, name)
	}
	for name := range r.Built {
		r.age(t, dir, name)
	}
}

func writeFile(t *testing.T, dir, name string, content []byte) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func (r *record) age(t *testing.T, dir, name string) {
	t.Helper()
	seconds, ok := r.Age[name]
	if !ok {
		if seconds, ok = r.Age["*"]; !ok {
			seconds = 100
		}
	}
	when := time.Now().Add(-time.Duration(seconds) * time.Second)
	if err := os.Chtimes(filepath.Join(dir, name), when, when); err != nil {
		t.Fatal(err)
	}
}

// expand replaces the placeholders of a recording.
func expand(s, dir string) string {
	return strings.NewReplacer("@DIR@", dir, "@CONF@", dir, "@QUEUE@", dir, "@DATA@", dir).Replace(s)
}
