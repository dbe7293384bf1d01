package test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
)

const (
	benchKeys    = 20000
	benchRounds  = 3
	benchClients = 16
)

// BenchmarkMaps compares the map types of ours with those of Postfix (make bench-maps). Both look up the same keys in the
// same tables, in turn: with one postmap that reads the keys from standard input, and with 16 clients of a proxymap
// service. It prints lookups per second, each the median of three rounds, and the ratio of ours to Postfix's. With
// BENCH_TYPES="hash mysql" it is about these types only.
func BenchmarkMaps(b *testing.B) {
	testenv.Require(b, testenv.Root, testenv.Postfix)
	m := newMapBench(b)
	for b.Loop() {
		m.run()
	}
}

// benchTable is a table with an answer for each of its keys. A type that only one of the programs has gets no ratio.
type benchTable struct {
	label, spec string
	keys        []string
}

type mapBench struct {
	*testing.B
	sites  map[maker]*postfixtest.Instance // with this maker's master and worker; the tables are in ours
	tables []benchTable
}

func newMapBench(b *testing.B) *mapBench {
	bin := testenv.Bin(b, "master", "proxymap", "postmap")
	m := &mapBench{B: b, sites: map[maker]*postfixtest.Instance{
		ours:   postfixtest.New(b, postfixtest.Daemon("proxymap", filepath.Join(bin, "proxymap"))),
		theirs: postfixtest.New(b),
	}}
	m.addTables()
	var approved []string
	for _, t := range m.tables {
		approved = append(approved, "proxy:"+t.spec)
	}
	masters := map[maker]string{ours: filepath.Join(bin, "master"), theirs: postfixtest.PostfixMaster()}
	for who, pf := range m.sites {
		pf.SetMain("proxy_read_maps", strings.Join(approved, " "))
		pf.SetMaster("proxymap unix - - n - - proxymap", "proxywrite unix - - n - 1 proxymap")
		pf.Start(masters[who])
	}
	return m
}

func (m *mapBench) postmap(who maker) string {
	if who == theirs {
		return postfixtest.PostfixCommand("postmap")
	}
	return filepath.Join(testenv.Bin(m.B, "postmap"), "postmap")
}

// run measures all tables and prints a line for each.
func (m *mapBench) run() {
	fmt.Printf("\nlookups per second: %d keys, median of %d rounds; proxymap: %d clients\n", benchKeys, benchRounds, benchClients)
	fmt.Printf("%-12s %10s %10s %7s   %10s %10s %7s\n", "", "postmap", "Postfix's", "ratio", "proxymap", "Postfix's", "ratio")
	for _, table := range m.tables {
		has := map[maker]bool{}
		for _, who := range makers {
			has[who] = m.has(who, table)
		}
		direct := m.measure(has, func(who maker) { m.direct(who, table) })
		proxied := m.measure(has, func(who maker) { m.proxied(who, table) })
		fmt.Printf("%-12s %s   %s\n", table.label, direct, proxied)
	}
}

// has reports whether a maker's programs have the table's type. It is an error if they have and do not answer.
func (m *mapBench) has(who maker, table benchTable) bool {
	got := m.sites[who].Run("", m.postmap(who), "-q", table.keys[0], table.spec)
	if got.Exit == 0 && got.Stdout != "" {
		return true
	}
	if !strings.Contains(got.Stderr, "unsupported dictionary type") {
		m.Fatalf("%s's postmap -q %s %s: %+v", who, table.keys[0], table.spec, got)
	}
	return false
}

// measure takes turns, so that what else the machine does hits both.
func (m *mapBench) measure(has map[maker]bool, lookups func(maker)) string {
	times := map[maker][]time.Duration{}
	for round := range benchRounds {
		order := slices.Clone(makers)
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, who := range order {
			if has[who] {
				start := time.Now()
				lookups(who)
				times[who] = append(times[who], time.Since(start))
			}
		}
	}
	rate := map[maker]float64{}
	column := func(who maker) string {
		if !has[who] {
			return "-"
		}
		slices.Sort(times[who])
		rate[who] = benchKeys / times[who][benchRounds/2].Seconds()
		return fmt.Sprintf("%.0f", rate[who])
	}
	line := fmt.Sprintf("%10s %10s", column(ours), column(theirs))
	if has[ours] && has[theirs] {
		return line + fmt.Sprintf(" %7.2f", rate[ours]/rate[theirs])
	}
	return line + fmt.Sprintf(" %7s", "-")
}

// direct looks all keys up with one postmap.
func (m *mapBench) direct(who maker, table benchTable) {
	got := m.sites[who].Run(strings.Join(table.keys, "\n")+"\n", m.postmap(who), "-q", "-", table.spec)
	if n := strings.Count(got.Stdout, "\n"); got.Exit != 0 || n != len(table.keys) {
		m.Fatalf("%s's postmap -q - %s: %d answers for %d keys: exit %d, %s", who, table.spec, n, len(table.keys), got.Exit, got.Stderr)
	}
}

// proxied looks all keys up with clients of proxymap, each on a connection of its own.
func (m *mapBench) proxied(who maker, table benchTable) {
	socket := filepath.Join(m.sites[who].Queue, "private", "proxymap")
	failures := make(chan error, benchClients)
	var running sync.WaitGroup
	for part := range slices.Chunk(table.keys, len(table.keys)/benchClients) {
		running.Go(func() {
			if err := lookUpAll(socket, table.spec, part); err != nil {
				failures <- fmt.Errorf("%s's proxymap, %s: %w", who, table.spec, err)
			}
		})
	}
	running.Wait()
	close(failures)
	for err := range failures {
		m.Fatal(err)
	}
}

// lookUpAll speaks the dialect that both workers know.
func lookUpAll(socket, table string, keys []string) error {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	w := &wire{conn: conn, in: bufio.NewReader(conn)}
	if _, err := w.tryRead(); err != nil { // the announcement
		return err
	}
	const flags = "16448" // LOCK, FOLD_FIX
	for _, key := range keys {
		reply, err := w.tryAsk("request", "lookup", "table", table, "flags", flags, "key", key)
		if err != nil {
			return err
		}
		if reply["status"] != "0" || reply["value"] == "" {
			return fmt.Errorf("%s: %q", key, reply)
		}
	}
	return nil
}

// benchTypesVar is the environment variable that names the types to measure, if not all.
const benchTypesVar = "BENCH_TYPES"

// add adds a table; without keys of its own it has those of benchKey.
func (m *mapBench) add(label, spec string, keys ...string) {
	if wanted := strings.Fields(os.Getenv(benchTypesVar)); len(wanted) > 0 && !slices.Contains(wanted, label) {
		return
	}
	for i := len(keys); i < benchKeys; i++ {
		keys = append(keys, benchKey(i))
	}
	m.tables = append(m.tables, benchTable{label, spec, keys})
}

func benchKey(i int) string { return fmt.Sprintf("user%05d@bench.example", i) }

func benchValue(i int) string { return fmt.Sprintf("mailbox-%05d", i) }

// source returns the text of a table with all keys.
func source() string {
	var text bytes.Buffer
	for i := range benchKeys {
		fmt.Fprintf(&text, "%s %s\n", benchKey(i), benchValue(i))
	}
	return text.String()
}

// write writes a file that both workers read.
func (m *mapBench) write(name, text string) string {
	return m.sites[ours].WriteFile(name, text)
}

func (m *mapBench) makeWith(who maker, spec string) {
	if got := m.sites[who].Run("", m.postmap(who), spec); got.Exit != 0 {
		m.Fatalf("postmap %s: %+v", spec, got)
	}
}

// startRedis starts a Redis server with all keys and returns its port.
func (m *mapBench) startRedis() int {
	testenv.Require(m.B, testenv.Redis)
	port := postfixtest.FreePort(m.B)
	dir := m.TempDir()
	cmd := exec.Command("redis-server", "--bind", "127.0.0.1", "--port", fmt.Sprint(port), "--dir", dir, "--save", "", "--daemonize", "no")
	m.start(cmd, port)
	conn, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		m.Fatal(err)
	}
	defer conn.Close()
	m.fillServer(conn, func(i int) string { return fmt.Sprintf("SET %s %s\r\n", benchKey(i), benchValue(i)) }, "+OK\r\n")
	return port
}

// start starts a server that lives until the end, and returns when it accepts connections.
func (m *mapBench) start(cmd *exec.Cmd, port int) {
	if err := cmd.Start(); err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() {
		_ = cmd.Process.Kill() // fails only when it has ended
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			m.Fatalf("%s: %v", cmd, err)
		}
	}
}

// fillServer sends one command for each key, and checks the answers.
func (m *mapBench) fillServer(conn net.Conn, command func(i int) string, answer string) {
	go func() {
		for i := range benchKeys {
			if _, err := conn.Write([]byte(command(i))); err != nil {
				return // then an answer is missing
			}
		}
	}()
	want := strings.Repeat(answer, benchKeys)
	got := make([]byte, len(want))
	err := conn.SetDeadline(time.Now().Add(time.Minute))
	if err == nil {
		_, err = io.ReadFull(conn, got)
	}
	if err != nil || string(got) != want {
		m.Fatalf("fill the server: %v", err)
	}
}
