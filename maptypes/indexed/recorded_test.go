package indexed_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/proxymapd/proxymapd/maptypes"
)

// recording is a conversation with a proxymap(8) server of Postfix 3.11, see
// testdata/vectors/README.md.
type recording struct {
	Name    string            `json:"name"`
	Service string            `json:"service"`
	Main    map[string]string `json:"main_cf"`
	Files   map[string]any    `json:"files"`
	Built   map[string]struct {
		Gzip string `json:"gzip_b64"`
	} `json:"built"`
	Steps []struct {
		Send any `json:"send"`
		Recv any `json:"recv"`
		Run  any `json:"run"`
	} `json:"steps"`
	Log []any          `json:"log"`
	Age map[string]int `json:"modified_seconds_ago"`
}

// mine are the tables that are tested here.
var mine = regexp.MustCompile(`^(proxy:)*(cdb|lmdb):`)

// TestRecordedConversations replays what Postfix 3.11 answered about cdb and
// lmdb tables, without the service around them.
func TestRecordedConversations(t *testing.T) {
	f, err := os.Open("../../testdata/vectors/wire-3.11.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	replayed := 0
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var rec recording
		if err := json.Unmarshal(lines.Bytes(), &rec); err != nil {
			t.Fatal(err)
		}
		if wanted(&rec) {
			replayed++
			t.Run(rec.Name, func(t *testing.T) { replay(t, &rec) })
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if lmdbWrites && replayed < 30 {
		t.Errorf("only %d conversations were replayed", replayed)
	}
}

// wanted selects the conversations about cdb and lmdb tables that do not change
// under the server.
func wanted(rec *recording) bool {
	found := false
	for _, step := range rec.Steps {
		table := attributes(unfold(step.Send))["table"]
		if step.Run != nil || table != "" && !mine.MatchString(table) {
			return false
		}
		if strings.Contains(table, "lmdb:") && rec.Service == "proxywrite" && !lmdbWrites {
			return false
		}
		found = found || table != ""
	}
	// A table that is not approved is the service's affair.
	return found && !strings.HasPrefix(rec.Name, "auth-")
}

func replay(t *testing.T, rec *recording) {
	w := newWorld(t)
	p := &player{world: w, t: t, mode: maptypes.ReadOnly, handles: map[string]*maptypes.Handle{}}
	if rec.Service == "proxywrite" {
		p.mode = maptypes.Create
	}
	w.env.UTF8 = rec.Main["smtputf8_enable"] != "no"
	w.env.Daemon = true
	for name, content := range rec.Files {
		p.file(rec, name, []byte(unfold(content)))
	}
	for name, file := range rec.Built {
		p.file(rec, name, gunzip(t, file.Gzip))
	}
	for _, step := range rec.Steps {
		send := attributes(p.here(unfold(step.Send)))
		if send["request"] != "" {
			p.step(send, attributes(p.here(unfold(step.Recv))))
		}
	}
	p.checkLog(rec)
}

// player performs the requests of one conversation.
type player struct {
	*world
	t       *testing.T
	mode    maptypes.Mode
	handles map[string]*maptypes.Handle
	cursor  maptypes.Cursor
}

func (p *player) here(text string) string { return strings.ReplaceAll(text, "@DIR@", p.dir) }

// file creates a file that is as old as it was.
func (p *player) file(rec *recording, name string, content []byte) {
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		p.t.Fatal(err)
	}
	age, ok := rec.Age[name]
	if !ok {
		age = max(rec.Age["*"], 100)
	}
	when := time.Now().Add(-time.Duration(age) * time.Second)
	if err := os.Chtimes(path, when, when); err != nil {
		p.t.Fatal(err)
	}
}

func (p *player) handle(spec, flags string) *maptypes.Handle {
	for strings.HasPrefix(spec, "proxy:") {
		spec = spec[len("proxy:"):]
	}
	h := p.handles[spec+" "+flags]
	if h == nil {
		var err error
		if h, err = registry.Open(p.env, spec, p.mode, maptypes.Flags(number(flags))); err != nil {
			p.t.Fatalf("open %s: %v", spec, err)
		}
		p.t.Cleanup(func() { h.Close() })
		p.handles[spec+" "+flags] = h
	}
	return h
}

// step performs one request and compares the answer. Where Postfix died there is
// none: then the answer must be a failure.
func (p *player) step(send, want map[string]string) {
	if want["status"] == "3" || want["status"] == "4" {
		return // the service's
	}
	h := p.handle(send["table"], send["instance_flags"])
	r := &maptypes.Request{Key: []byte(send["key"]), Value: []byte(send["value"]), Flags: maptypes.Flags(number(send["flags"]))}
	got := map[string]string{}
	var err error
	ctx := context.Background()
	switch send["request"] {
	case "open":
		r.Flags = h.Flags()
	case "lookup":
		var value []byte
		value, err = h.Lookup(ctx, r)
		got["value"] = string(value)
	case "update":
		r.Flags |= maptypes.FlagDupReplace | maptypes.FlagSyncUpdate
		err = h.Update(ctx, r)
	case "delete":
		r.Flags |= maptypes.FlagSyncUpdate
		err = h.Delete(ctx, r)
	case "sequence":
		if send["function"] == "0" {
			p.cursor = maptypes.Cursor{}
		}
		var key, value []byte
		key, value, err = h.Sequence(ctx, r, &p.cursor)
		got["key"], got["value"] = string(key), string(value)
	}
	if h.Flags()&maptypes.FlagSurrogate != 0 {
		r.Flags = r.Flags&^maptypes.FlagSurrogate | 1
	}
	got["flags"], got["status"] = strconv.FormatUint(uint64(r.Flags), 10), status(err)
	if reason := maptypes.Reason(err); reason != "" {
		p.logf("warning: ")("%s", reason)
	}
	if len(want) == 0 {
		if send["request"] != "open" && err == nil {
			p.t.Errorf("%q: answered, where Postfix dies", send)
		}
		return
	}
	if send["request"] == "update" && p.env.UTF8 && r.Flags&maptypes.FlagUTF8Request != 0 && !utf8.ValidString(send["key"]+send["value"]) {
		// Postfix says OK and stores nothing.
		want = map[string]string{"status": "5"}
	}
	for name, value := range want {
		if got[name] != value {
			p.t.Errorf("%q: %s is %.200q, want %.200q", send, name, got[name], value)
		}
	}
}

// checkLog compares the log lines about tables. Postfix's last words are ours
// too, on another level.
func (p *player) checkLog(rec *recording) {
	got := p.logged()
	for _, l := range rec.Log {
		line := p.here(unfold(l))
		if strings.Contains(line, "on non-proxywrite service") {
			continue
		}
		if text, ok := strings.CutPrefix(line, "fatal: "); ok {
			line = text
		}
		if strings.HasPrefix(line, "error reading lmdb:") {
			continue // Postfix dies of an empty key, ours is not found
		}
		if strings.HasPrefix(line, "warning: ") && p.env.UTF8 && strings.Contains(line, "non-UTF-8") {
			continue // how bytes are printed is the log's affair
		}
		if !strings.Contains(got, line) {
			p.t.Errorf("log:\n%s\nlacks:\n%s", got, line)
		}
	}
	if len(rec.Log) == 0 && got != "" {
		p.t.Errorf("log:\n%s\nwant none", got)
	}
}

func status(err error) string {
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

func number(text string) uint64 {
	n, _ := strconv.ParseUint(text, 10, 32)
	return n
}

func gunzip(t *testing.T, text string) []byte {
	t.Helper()
	packed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// attributes takes a list of attributes apart.
func attributes(list string) map[string]string {
	attrs := map[string]string{}
	parts := strings.Split(list, "\x00")
	for i := 0; i+1 < len(parts) && parts[i] != ""; i += 2 {
		attrs[parts[i]] = parts[i+1]
	}
	return attrs
}

// unfold decodes a byte string of the recordings.
func unfold(v any) string {
	switch v := v.(type) {
	case string:
		b := make([]byte, 0, len(v))
		for _, r := range v {
			b = append(b, byte(r))
		}
		return string(b)
	case []any:
		var s strings.Builder
		for _, part := range v {
			if m, ok := part.(map[string]any); ok {
				pair := m["repeat"].([]any)
				s.WriteString(strings.Repeat(unfold(pair[0]), int(pair[1].(float64))))
			} else {
				s.WriteString(unfold(part))
			}
		}
		return s.String()
	}
	return ""
}
