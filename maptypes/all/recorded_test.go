package all_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/all"
)

// recording is a conversation with a proxymap(8) server of Postfix, see
// testdata/vectors/README.md.
type recording struct {
	Name  string            `json:"name"`
	Main  map[string]string `json:"main_cf"`
	Files map[string]any    `json:"files"`
	Steps []struct {
		Send any `json:"send"`
		Recv any `json:"recv"`
	} `json:"steps"`
	Log            []any `json:"log"`
	LogInfo        []any `json:"log_info"`
	ArbitraryOrder bool  `json:"arbitrary_sequence_order"`
	HostDependent  bool  `json:"host_dependent"`
}

// plain are the types that are tested here: they need no files built by others.
var plain = regexp.MustCompile(`^(static|inline|environ|fail|texthash|unix|internal|unionmap|pipemap|randmap|debug):`)

// others are types that a composite table may name and that have tests of
// their own.
var others = regexp.MustCompile(`(proxy|hash|btree|cdb|lmdb|regexp|pcre|cidr|sqlite):`)

// TestRecordedConversations replays what Postfix 3.11 answered about tables of
// the plain types, without the service around them.
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
		if !wanted(&rec) {
			continue
		}
		replayed++
		t.Run(rec.Name, func(t *testing.T) { replay(t, &rec) })
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if replayed < 50 {
		t.Errorf("only %d conversations were replayed", replayed)
	}
}

// wanted selects the conversations about the content of plain tables.
func wanted(rec *recording) bool {
	name, _, _ := strings.Cut(rec.Name, "/")
	for _, prefix := range []string{"lookup-", "content-", "readonly-", "write-service-", "rhs-is-file", "utf8-", "fold-", "flags-", "debug-", "no-unauth"} {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		found := false
		for _, step := range rec.Steps {
			table := attributes(unfold(step.Send))["table"]
			if table != "" && (!plain.MatchString(table) || strings.HasPrefix(name, "content-pipemap") || nestsOthers(table)) {
				return false
			}
			found = found || table != ""
		}
		return found && !rec.HostDependent
	}
	return false
}

func nestsOthers(table string) bool {
	return others.MatchString(strings.ReplaceAll(table, "texthash:", ""))
}

// baseName is the name of a recording without its number.
func baseName(rec *recording) string {
	name, _, _ := strings.Cut(rec.Name, "/")
	return name
}

func replay(t *testing.T, rec *recording) {
	dir := t.TempDir()
	for name, content := range rec.Files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(unfold(content), "@DIR@", dir)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p := &player{
		t:       t,
		dir:     dir,
		handles: map[string]*maptypes.Handle{},
		mode:    maptypes.ReadOnly,
		order:   rec.ArbitraryOrder || strings.HasSuffix(baseName(rec), "inline"),
	}
	if strings.HasPrefix(rec.Name, "write-service") {
		p.mode = maptypes.Create
	}
	p.env = &maptypes.Env{
		Registry: maptypes.NewRegistry(all.Drivers()...),
		Infof:    p.logf("info: "),
		Warnf:    p.logf("warning: "),
		Errorf:   p.logf("error: "),
		UTF8:     rec.Main["smtputf8_enable"] != "no",
		Daemon:   true,
	}
	for _, step := range rec.Steps {
		send, recv := unfold(step.Send), unfold(step.Recv)
		// A DENY is the service's.
		if send != "" && !strings.HasPrefix(recv, "status\x004\x00") {
			p.step(attributes(strings.ReplaceAll(send, "@DIR@", dir)), strings.ReplaceAll(recv, "@DIR@", dir))
		}
	}
	p.checkLog(rec)
}

// player performs the requests of one conversation.
type player struct {
	t       *testing.T
	dir     string
	env     *maptypes.Env
	mode    maptypes.Mode
	handles map[string]*maptypes.Handle
	order   bool // sequences come in any order
	mu      sync.Mutex
	log     []string
}

func (p *player) logf(level string) func(string, ...any) {
	return func(format string, args ...any) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.log = append(p.log, level+fmt.Sprintf(format, args...))
	}
}

func (p *player) handle(spec, flags string) *maptypes.Handle {
	spec = strings.TrimPrefix(spec, "proxy:")
	h := p.handles[spec+" "+flags]
	if h == nil {
		var err error
		h, err = p.env.Registry.Open(p.env, spec, p.mode, maptypes.Flags(number(flags)))
		if err != nil {
			p.t.Fatalf("open %s: %v", spec, err)
		}
		p.t.Cleanup(func() { h.Close() })
		p.handles[spec+" "+flags] = h
	}
	return h
}

// step performs one request and compares the answer.
func (p *player) step(send map[string]string, recv string) {
	h := p.handle(send["table"], send["instance_flags"])
	r := &maptypes.Request{
		Key:   []byte(send["key"]),
		Value: []byte(send["value"]),
		Flags: maptypes.Flags(number(send["flags"])),
	}
	want := attributes(recv)
	got := map[string]string{}
	var err error
	var value, key []byte
	ctx := context.Background()
	switch send["request"] {
	case "open":
		got["flags"] = wireFlags(h.Flags(), send)
	case "lookup":
		value, err = h.Lookup(ctx, r)
		got["value"], got["flags"] = string(value), wireFlags(r.Flags, send)
	case "update":
		err = h.Update(ctx, r)
		delete(want, "flags") // the service adds some of its own
	case "delete":
		err = h.Delete(ctx, r)
		delete(want, "flags")
	case "sequence":
		key, value, err = h.Sequence(ctx, r, &maptypes.Cursor{})
		got["key"], got["value"], got["flags"] = string(key), string(value), wireFlags(r.Flags, send)
		if p.order && err == nil {
			got["key"], got["value"] = want["key"], want["value"]
		}
	}
	if reason := maptypes.Reason(err); reason != "" {
		level := "warning: "
		if recv == "" { // Postfix died
			level = "fatal: "
		}
		p.logf(level)("%s", reason)
	}
	if recv == "" {
		if err == nil {
			p.t.Errorf("%q: answered, where Postfix dies", send)
		}
		return
	}
	got["status"] = status(err)
	for name, w := range want {
		if got[name] != w {
			p.t.Errorf("%q: %s is %q, want %q", send, name, got[name], w)
		}
	}
}

// checkLog compares the log lines about tables.
func (p *player) checkLog(rec *recording) {
	var want []string
	for _, l := range rec.Log {
		line := unicode(l)
		if !strings.Contains(line, " request on non-proxywrite service") && !strings.Contains(line, " unapproved table") && !strings.Contains(line, "to approve this table") {
			want = append(want, strings.ReplaceAll(line, "@DIR@", p.dir))
		}
	}
	var got, info []string
	for _, line := range p.log {
		line = printable(line, p.env.UTF8)
		if text, ok := strings.CutPrefix(line, "info: "); ok {
			info = append(info, text)
		} else {
			got = append(got, line)
		}
	}
	if !slices.Equal(got, want) {
		p.t.Errorf("log:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	var wantInfo []string
	for _, l := range rec.LogInfo {
		wantInfo = append(wantInfo, unicode(l))
	}
	if !slices.Equal(info, wantInfo) {
		p.t.Errorf("information logged: %q, want %q", info, wantInfo)
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

// wireFlags are the flags as Postfix 3.11 reports them: of a table that could
// not be opened bit 0 is set, unless the client made up FlagSurrogate.
func wireFlags(f maptypes.Flags, send map[string]string) string {
	asked := maptypes.Flags(number(send["instance_flags"]) | number(send["flags"]))
	if f&maptypes.FlagSurrogate != 0 && asked&maptypes.FlagSurrogate == 0 {
		f = f&^maptypes.FlagSurrogate | 1
	}
	return strconv.FormatUint(uint64(f), 10)
}

func number(text string) uint64 {
	n, _ := strconv.ParseUint(text, 10, 32)
	return n
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

// unicode decodes a byte string with a character for each byte left as it is.
func unicode(v any) string {
	var s strings.Builder
	for _, c := range []byte(unfold(v)) {
		s.WriteRune(rune(c))
	}
	return s.String()
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

// printable is how log lines are written: the recordings hold them as bytes.
func printable(s string, utf8Enabled bool) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
	var b bytes.Buffer
	for _, r := range s {
		switch {
		case r < 0x80:
			b.WriteByte(byte(r))
		case r == 0xfffd || !utf8Enabled:
			b.WriteByte('?')
		default: // the bytes of the character, one by one, as in the recordings
			for _, c := range []byte(string(r)) {
				b.WriteRune(rune(c))
			}
		}
	}
	return b.String()
}

// TestLeftOutTypes checks what is said of a type that a build lacks.
func TestLeftOutTypes(t *testing.T) {
	reg := maptypes.NewRegistry(maptypes.Driver{Type: "absent", LeftOut: "build with -tags present"})
	env := &maptypes.Env{Registry: reg}
	_, err := reg.Open(env, "absent:x", maptypes.ReadOnly, 0)
	if want := "unsupported dictionary type: absent: build with -tags present"; err == nil || err.Error() != want || !errors.Is(err, maptypes.ErrConfig) {
		t.Errorf("open: %v, want %q", err, want)
	}
	_, err = reg.Create(env, "absent:x", 0)
	if err == nil || !strings.Contains(err.Error(), "-tags present") {
		t.Errorf("create: %v", err)
	}
	if types := reg.Types(); len(types) != 0 {
		t.Errorf("types: %q", types)
	}
}
