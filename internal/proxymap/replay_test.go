package proxymap_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sirupsen/logrus"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/internal/maillog"
	"github.com/proxymapd/proxymapd/internal/proxymap"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/all"
	"github.com/proxymapd/proxymapd/maptypes/bdb/bdbmap"
)

// service runs a Server on a socket of its own, as a worker would.
type service struct {
	t        *testing.T
	server   *proxymap.Server
	listener net.Listener
	log      *logBuffer
	cancel   context.CancelFunc
	clients  sync.WaitGroup
}

// logBuffer keeps log lines as "level: text".
type logBuffer struct {
	mu    sync.Mutex
	lines []string
}

func (b *logBuffer) Levels() []logrus.Level { return logrus.AllLevels }

func (b *logBuffer) Fire(e *logrus.Entry) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, fmt.Sprintf("%s: %s", e.Level, maillog.Printable(e.Message)))
	return nil
}

func (b *logBuffer) all() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.lines)
}

func (b *logBuffer) count(part string) (n int) {
	for _, line := range b.all() {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

// startService starts a service with all drivers; dir holds its socket.
func startService(t *testing.T, name, dir string, params map[string]string) *service {
	t.Helper()
	return startServiceWith(t, name, dir, params, all.Drivers()...)
}

// startServiceWith starts a service with the given drivers.
func startServiceWith(t *testing.T, name, dir string, params map[string]string, drivers ...maptypes.Driver) *service {
	t.Helper()
	s := &service{t: t, log: &logBuffer{}}
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	logger.AddHook(s.log)
	values := map[string]string{
		"compatibility_level": "3.11", "queue_directory": dir, "data_directory": dir, "mail_owner": "postfix",
	}
	for k, v := range params {
		values[k] = v
	}
	var err error
	s.server, err = proxymap.New(name, config.New(dir, values), drivers, logger)
	if err != nil {
		t.Fatal(err)
	}
	s.listener, err = net.Listen("unix", filepath.Join(dir, "sock-"+name))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return
			}
			s.clients.Go(func() {
				defer conn.Close()
				s.server.ServeConn(ctx, conn)
			})
		}
	}()
	t.Cleanup(s.stop)
	return s
}

// stop ends the service; clients that wait are left.
func (s *service) stop() {
	s.listener.Close()
	s.cancel()
	s.clients.Wait()
	s.server.Close()
}

func (s *service) dial() net.Conn {
	s.t.Helper()
	conn, err := net.Dial("unix", s.listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// shortDir returns a directory whose path fits into a socket address.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// player replays one record.
type player struct {
	t        *testing.T
	version  string
	rec      *record
	dir      string
	services map[string]*service
	conns    map[string]net.Conn
	changed  bool              // a file has changed: Postfix answers from the old one
	used     map[string]string // the flags that each table was used with
	reopened bool              // the table of the present step has been used before
}

func TestReplay(t *testing.T) {
	for _, version := range []string{"3.7", "3.11"} {
		t.Run(version, func(t *testing.T) {
			// Conversations mostly wait: more of them at once than processors.
			var running sync.WaitGroup
			places := make(chan struct{}, 32)
			for _, rec := range loadRecords(t, version) {
				places <- struct{}{}
				running.Go(func() {
					defer func() { <-places }()
					t.Run(rec.Name, func(t *testing.T) {
						if reason := differences.why(version, rec.Name); reason != "" {
							t.Log("differs on purpose: " + reason)
							return
						}
						if typ := rec.missingType(); typ != "" {
							t.Log("not a type of this build: " + typ)
							return
						}
						replay(t, version, &rec)
					})
				})
			}
			running.Wait()
		})
	}
}

// missingType returns a map type of Postfix that the record uses and this build
// does not have.
func (r *record) missingType() string {
	types := maptypes.NewRegistry(all.Drivers()...).Types()
	for _, list := range []string{r.MainCf["proxy_read_maps"], r.MainCf["proxy_write_maps"]} {
		for _, typ := range []string{"hash", "btree", "sqlite", "pcre", "lmdb"} {
			if strings.Contains(list, "proxy:"+typ+":") && !slices.Contains(types, typ) {
				return typ
			}
		}
	}
	if r.Service != proxymap.WriteService {
		return ""
	}
	writable := map[string]bool{"hash": bdbmap.CanWrite, "btree": bdbmap.CanWrite, "lmdb": withCgo}
	for typ, can := range writable {
		for _, value := range r.MainCf {
			if !can && strings.Contains(value, "proxy:"+typ+":") {
				return typ + ", to write,"
			}
		}
	}
	return ""
}

func replay(t *testing.T, version string, rec *record) {
	dir := shortDir(t)
	rec.install(t, dir)
	p := &player{
		t: t, version: version, rec: rec, dir: dir,
		services: map[string]*service{}, conns: map[string]net.Conn{}, used: map[string]string{},
	}
	defer func() {
		for _, conn := range p.conns {
			conn.Close()
		}
	}()
	p.connect("a", rec.Service)
	for i := range rec.Steps {
		p.play(i, &rec.Steps[i])
		if t.Failed() {
			for _, s := range p.services {
				t.Logf("log: %q", s.log.all())
			}
			return
		}
	}
	p.checkLog()
}

// checkLog checks that an administrator finds in our log what is in that of
// Postfix 3.11.
func (p *player) checkLog() {
	// Where Postfix loses track of what it reads, its warnings are about that.
	for _, kind := range []string{"slow-", "half-", "pipelined-", "large-"} {
		if strings.HasPrefix(p.rec.Name, kind) {
			return
		}
	}
	if p.version != "3.11" {
		return
	}
	var got []string
	for _, s := range p.services {
		got = append(got, s.log.all()...)
	}
	for _, want := range p.rec.Log {
		line := expand(string(want), p.dir)
		if strings.HasPrefix(line, "fatal: ") || strings.HasPrefix(line, "panic: ") || p.rec.RacyLog || p.changed {
			continue
		}
		if !slices.Contains(got, line) {
			p.t.Errorf("log line %q is missing in %q", line, got)
		}
	}
}

func (p *player) connect(name, serviceName string) {
	p.t.Helper()
	s := p.services[serviceName]
	if s == nil {
		params := map[string]string{}
		for k, v := range p.rec.MainCf {
			params[k] = expand(v, p.dir)
		}
		s = startService(p.t, serviceName, p.dir, params)
		p.services[serviceName] = s
	}
	if old := p.conns[name]; old != nil {
		old.Close()
	}
	p.conns[name] = s.dial()
}

func (p *player) play(i int, s *step) {
	p.t.Helper()
	name := s.Conn
	if name == "" {
		name = "a"
	}
	if s.Connect != "" {
		p.connect(name, s.Connect)
	}
	if s.WriteFile != "" {
		writeFile(p.t, p.dir, s.WriteFile, []byte(expand(string(s.Content), p.dir)))
		p.changed = true
	}
	for file, f := range s.Built {
		// Renamed into place, as postmap does for cdb.
		writeFile(p.t, p.dir, file+".tmp", f.content(p.t))
		if err := os.Rename(filepath.Join(p.dir, file+".tmp"), filepath.Join(p.dir, file)); err != nil {
			p.t.Fatal(err)
		}
		p.changed = true
	}
	if s.WriteFile != "" || len(s.Built) > 0 {
		time.Sleep(2 * time.Millisecond) // the worker looks at its files once in a millisecond
	}
	if s.Sleep > 0 {
		time.Sleep(time.Duration(s.Sleep * float64(time.Second)))
	}
	conn := p.conns[name]
	if s.Close {
		conn.Close()
	}
	if s.Send != nil {
		p.send(conn, s)
	}
	if s.Shutdown == "write" {
		conn.(*net.UnixConn).CloseWrite()
	}
	p.receive(i, s, conn)
}

func (p *player) send(conn net.Conn, s *step) {
	p.t.Helper()
	data := []byte(expand(string(*s.Send), p.dir))
	size := len(data)
	if s.Chunk > 0 {
		size = s.Chunk
	}
	for len(data) > 0 {
		n := min(size, len(data))
		if _, err := conn.Write(data[:n]); err != nil {
			return // what was received tells
		}
		data = data[n:]
		time.Sleep(time.Duration(s.DelayMs) * time.Millisecond)
	}
}

func (p *player) receive(i int, s *step, conn net.Conn) {
	p.t.Helper()
	if s.Recv == nil && !s.EOF && !s.Timeout {
		return
	}
	if s.Send != nil && (s.EOF || s.Timeout) {
		p.receiveWherePostfixFails(i, s, conn)
		return
	}
	want := ""
	if s.Recv != nil {
		want = expand(string(*s.Recv), p.dir)
	}
	got := readUpTo(conn, len(want), 2*time.Second)
	if p.rec.ArbitraryOrder && strings.Contains(want, "\x00key\x00") {
		return
	}
	mixed := p.mixedFlags(s)
	if string(got) != want && !p.changed && !mixed && !p.byDesign(s, want, string(got)) {
		p.t.Errorf("step %d: sent %s\n got %s\nwant %s", i, show(s.Send), quote(string(got)), quote(want))
	}
}

// byDesign reports whether a reply differs in one of the ways that the README's
// table of differences gives.
func (p *player) byDesign(s *step, want, got string) bool {
	if s.Send == nil {
		return false
	}
	request := attributes(string(*s.Send))
	switch {
	// An update that cannot be stored is not answered OK.
	case request["request"] == "update" && strings.HasPrefix(want, "status\x000\x00"):
		valid := utf8.ValidString(request["key"]) && utf8.ValidString(request["value"])
		return !valid && got == strings.Replace(want, "status\x000", "status\x005", 1)
	// A value that is not UTF-8 is a configuration error, as in Postfix 3.11.
	case p.version == "3.7" && request["request"] == "lookup" && strings.HasPrefix(want, "status\x001\x00"):
		return got == strings.Replace(want, "status\x001", "status\x005", 1)
	// The flags in the reply to an open are those of a new instance, as in
	// Postfix 3.11, and not what earlier requests have made of them.
	case p.version == "3.7" && request["request"] == "open":
		return p.reopened && strings.HasPrefix(got, "status\x000\x00flags\x00")
	}
	return false
}

// attributes returns the attributes of a request by name.
func attributes(request string) map[string]string {
	attrs := map[string]string{}
	parts := strings.Split(request, "\x00")
	for i := 0; i+1 < len(parts); i += 2 {
		attrs[parts[i]] = parts[i+1]
	}
	return attrs
}

// mixedFlags reports whether the table of a request to a 3.7 server has been
// used with different flags: there one client's flags leak into the answers to
// another.
func (p *player) mixedFlags(s *step) bool {
	if p.version != "3.7" || s.Send == nil {
		return false
	}
	request := attributes(string(*s.Send))
	table, flags := request["table"], request["flags"]
	for strings.HasPrefix(table, "proxy:") {
		table = table[len("proxy:"):]
	}
	const mixed = "mixed"
	before, used := p.used[table]
	p.reopened = used
	switch {
	case !used:
		p.used[table] = flags
	case before != flags:
		p.used[table] = mixed
	}
	return p.used[table] == mixed
}

// receiveWherePostfixFails checks what we do where Postfix died, fell silent or
// hung up: what Postfix did say before, and then at most well-formed replies.
func (p *player) receiveWherePostfixFails(i int, s *step, conn net.Conn) {
	p.t.Helper()
	var all []byte
	for patience := 2 * time.Second; ; patience = 100 * time.Millisecond {
		got, err := readReply(conn, patience)
		all = append(all, got...)
		if err != nil {
			if len(got) > 0 {
				p.t.Errorf("step %d: sent %s\n got half a reply: %s", i, show(s.Send), quote(string(got)))
			}
			break
		}
		if !bytes.HasPrefix(got, []byte("status\x00")) {
			p.t.Errorf("step %d: sent %s\n got %s", i, show(s.Send), quote(string(got)))
		}
	}
	if s.Recv != nil && !strings.HasPrefix(string(all), expand(string(*s.Recv), p.dir)) {
		p.t.Errorf("step %d: sent %s\n got %s\nwant at first %s", i, show(s.Send), quote(string(all)), show(s.Recv))
	}
}

// readUpTo reads n bytes, and one more if there is one.
func readUpTo(conn net.Conn, n int, patience time.Duration) []byte {
	got := make([]byte, n)
	conn.SetReadDeadline(time.Now().Add(patience))
	k, err := io.ReadFull(conn, got)
	if err != nil {
		return got[:k]
	}
	more := make([]byte, 4096)
	conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	m, _ := conn.Read(more)
	return append(got, more[:m]...)
}

// readReply reads to the end of one attribute list.
func readReply(conn net.Conn, patience time.Duration) (got []byte, err error) {
	conn.SetReadDeadline(time.Now().Add(patience))
	one := make([]byte, 1)
	strings, length := 0, 0
	for {
		if _, err := conn.Read(one); err != nil {
			return got, err
		}
		got = append(got, one[0])
		if one[0] != 0 {
			length++
			continue
		}
		if length == 0 && strings%2 == 0 {
			return got, nil
		}
		strings, length = strings+1, 0
	}
}

func show(sent *text) string {
	if sent == nil {
		return "nothing"
	}
	return quote(string(*sent))
}

func quote(s string) string {
	if len(s) > 600 {
		s = s[:300] + "..." + s[len(s)-300:]
	}
	return fmt.Sprintf("%q", strings.ReplaceAll(s, "\x00", "~"))
}
