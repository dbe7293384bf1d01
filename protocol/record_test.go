package protocol

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// record is a conversation with a real Postfix server; see
// testdata/vectors/README.md at the top of the repository.
type record struct {
	Name    string
	Service string
	Steps   []recordStep
	Log     []latin1
}

type recordStep struct {
	Conn     string
	Connect  string
	Send     *latin1
	Chunk    int
	DelayMS  int     `json:"delay_ms"`
	SleepS   float64 `json:"sleep_s"`
	WaitedS  float64 `json:"waited_s"`
	AfterS   float64 `json:"after_s"`
	Recv     *latin1
	EOF      bool
	Timeout  bool
	Close    bool
	Shutdown string
}

// latin1 is a byte string of a record: one character a byte, or a list of such
// strings and runs of one byte.
type latin1 string

func (b *latin1) UnmarshalJSON(data []byte) error {
	if data[0] == '"' {
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		*b = latin1(narrow(s))
		return nil
	}
	var items []json.RawMessage
	if err := json.Unmarshal(data, &items); err != nil {
		return err
	}
	var out strings.Builder
	for _, item := range items {
		if item[0] == '"' {
			var s string
			if err := json.Unmarshal(item, &s); err != nil {
				return err
			}
			out.WriteString(narrow(s))
			continue
		}
		var run struct{ Repeat []json.RawMessage }
		if err := json.Unmarshal(item, &run); err != nil {
			return err
		}
		var s string
		var n int
		if err := json.Unmarshal(run.Repeat[0], &s); err != nil {
			return err
		}
		if err := json.Unmarshal(run.Repeat[1], &n); err != nil {
			return err
		}
		out.WriteString(strings.Repeat(narrow(s), n))
	}
	*b = latin1(out.String())
	return nil
}

func narrow(s string) string {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		out = append(out, byte(r))
	}
	return string(out)
}

// recordFiles are the recordings and the dialect of the server in each.
var recordFiles = map[string]Dialect{
	"wire-3.7.jsonl":  Dialect37,
	"wire-3.11.jsonl": Dialect311,
}

// loadRecords returns the records of a file whose names have one of the
// prefixes.
func loadRecords(tb testing.TB, file string, prefixes ...string) []record {
	tb.Helper()
	f, err := os.Open(filepath.Join("..", "testdata", "vectors", file))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var out []record
	in := bufio.NewScanner(f)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		var name struct{ Name string }
		if err := json.Unmarshal(in.Bytes(), &name); err != nil {
			tb.Fatal(err)
		}
		for _, p := range prefixes {
			if strings.HasPrefix(name.Name, p) {
				var r record
				if err := json.Unmarshal(in.Bytes(), &r); err != nil {
					tb.Fatalf("%s: %v", name.Name, err)
				}
				out = append(out, r)
				break
			}
		}
	}
	if err := in.Err(); err != nil {
		tb.Fatal(err)
	}
	if len(out) == 0 {
		tb.Fatalf("%s has no records %v", file, prefixes)
	}
	return out
}
