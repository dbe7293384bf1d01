package sidebyside

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
)

const (
	rounds   = 5
	duration = 700 * time.Millisecond // of one measurement
)

// contestant is one of those that are measured in turn.
type contestant int

const (
	ours contestant = iota
	theirs
	echo
)

func (c contestant) String() string { return [...]string{"ours", "Postfix", "echo"}[c] }

// BenchmarkSideBySide prints the table of ours, Postfix's and a bare echo server. Every figure is the median of five
// rounds in which all take turns. With BENCH_ROWS="static mysql" it measures the rows whose names contain one of these.
func BenchmarkSideBySide(b *testing.B) {
	testenv.Require(b, testenv.Root, testenv.Postfix)
	s := newSite(b)
	for b.Loop() {
		s.measureAll()
	}
}

// site has one worker of each kind, under Postfix's master, and the tables.
type site struct {
	*testing.B
	instance map[contestant]*postfixtest.Instance
	echo     string
	approved []string
}

func newSite(b *testing.B) *site {
	bin := testenv.Bin(b, "proxymap", "postmap")
	s := &site{B: b, instance: map[contestant]*postfixtest.Instance{
		ours:   postfixtest.New(b, postfixtest.Daemon("proxymap", filepath.Join(bin, "proxymap"))),
		theirs: postfixtest.New(b),
	}}
	s.echo = startEcho(b, s.instance[ours].Dir)
	for _, i := range s.instance {
		i.SetMain("max_use", "1000000000")
		i.SetMain("max_idle", "10000s")
		i.SetMaster("proxymap unix - - n - 1 proxymap")
	}
	return s
}

// start starts the masters when all tables are made.
func (s *site) start() {
	for _, i := range s.instance {
		i.SetMain("proxy_read_maps", strings.Join(s.approved, " "))
		i.Start(postfixtest.PostfixMaster())
	}
}

// approve adds a table to those that both workers open.
func (s *site) approve(table string) string {
	s.approved = append(s.approved, "proxy:"+table)
	return table
}

func (s *site) socket(c contestant) string {
	if c == echo {
		return s.echo
	}
	return filepath.Join(s.instance[c].Queue, "private", "proxymap")
}

// write writes a file that both workers read, and returns its path.
func (s *site) write(name, text string) string { return s.instance[ours].WriteFile(name, text) }

// build makes an indexed file of the source of that name with Postfix's postmap, or ours where Postfix lacks the type.
func (s *site) build(kind, path string) {
	program := postfixtest.PostfixCommand("postmap")
	if kind == "bolt" {
		program = filepath.Join(testenv.Bin(s, "postmap"), "postmap")
	}
	if got := s.instance[ours].Run("", program, kind+":"+path); got.Exit != 0 {
		s.Fatalf("postmap %s:%s: %+v", kind, path, got)
	}
}

// wanted says whether a row is to be measured.
func wanted(name string) bool {
	list := strings.Fields(os.Getenv("BENCH_ROWS"))
	return len(list) == 0 || slices.ContainsFunc(list, func(part string) bool { return strings.Contains(name, part) })
}

// row is a line of the table.
type row struct {
	name string
	load load // its socket is filled in
	who  []contestant
	must string // what is to be reached
}

// measure lets all take turns and returns the medians.
func (s *site) measure(r row) map[contestant]result {
	rates, p99 := map[contestant][]float64{}, map[contestant][]time.Duration{}
	for round := range rounds + 1 {
		order := slices.Clone(r.who)
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, who := range order {
			l := r.load
			l.socket = s.socket(who)
			if who == echo {
				l.begin = found
			}
			got, err := l.run(duration)
			if err != nil {
				s.Fatalf("%s: %v: %v", r.name, who, err)
			}
			if round > 0 { // the first one warms up
				rates[who] = append(rates[who], got.rate)
				p99[who] = append(p99[who], got.p99)
			}
		}
	}
	medians := map[contestant]result{}
	for _, who := range r.who {
		medians[who] = result{median(rates[who]), median(p99[who])}
	}
	return medians
}

func median[T float64 | time.Duration](list []T) T {
	slices.Sort(list)
	return list[len(list)/2]
}

func printHead(what string) {
	fmt.Printf("\n%-44s %9s %9s %9s %9s %7s %9s  %s\n", what, "ours", "Postfix's", "echo", "x Postfix", "of echo", "p99", "must")
}

// print prints one line. Figures that do not exist are "-".
func (r row) print(m map[contestant]result) {
	figure := func(who contestant) string {
		if _, ok := m[who]; !ok {
			return "-"
		}
		return fmt.Sprintf("%.0f", m[who].rate)
	}
	ratio := func(who contestant, format string, unit float64) string {
		if _, ok := m[who]; !ok {
			return "-"
		}
		return fmt.Sprintf(format, m[ours].rate/m[who].rate*unit)
	}
	fmt.Printf("%-44s %9s %9s %9s %9s %7s %9s  %s\n", r.name, figure(ours), figure(theirs), figure(echo),
		ratio(theirs, "%.2f", 1), ratio(echo, "%.0f%%", 100), m[ours].p99.Round(time.Microsecond), r.must)
}
