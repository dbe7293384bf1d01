package sidebyside

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// crowd measures 100 busy clients beside 10,000 idle ones.
func (s *site) crowd() {
	const name = "static, 100 clients beside 10000 idle"
	if !wanted(name) {
		return
	}
	r := row{name: name, who: []contestant{ours}, must: "90%, 64 MiB", load: load{clients: 100, requests: lookups("static:value", someKeys(1000)), begin: found}}
	before := s.measure(r)[ours]
	for range 10000 {
		fd, err := dial(s.socket(ours))
		if err != nil {
			s.Fatal(err)
		}
		defer unix.Close(fd)
	}
	after := s.measure(r)[ours]
	fmt.Printf("%-44s %9.0f alone %.0f: %.0f%%, worker %.1f MiB  must %s\n", name, after.rate, before.rate, 100*after.rate/before.rate, s.resident(ours), r.must)
}

// beside measures static lookups beside 64 clients who wait for a slow server.
func (s *site) beside() {
	const name = "static, 16 clients beside 64 of mysql 50 ms"
	slow := s.table("slow.cf")
	if !wanted(name) || slow == "" {
		return
	}
	r := row{name: name, who: []contestant{ours}, load: load{clients: 16, requests: lookups("static:value", someKeys(1000)), begin: found}}
	before := s.measure(r)[ours]
	waiting := load{socket: s.socket(ours), clients: 64, requests: lookups(slow, someKeys(1000)), begin: found}
	done := make(chan error, 1)
	go func() {
		_, err := waiting.run((rounds + 2) * duration)
		done <- err
	}()
	after := s.measure(r)[ours]
	if err := <-done; err != nil {
		s.Fatal(err)
	}
	fmt.Printf("%-44s p99 %v, undisturbed %v: %.2f x  must 2\n", name, after.p99.Round(time.Microsecond), before.p99.Round(time.Microsecond),
		float64(after.p99)/float64(before.p99))
}

// table returns the approved table whose file has the given name.
func (s *site) table(file string) string {
	for _, t := range s.approved {
		if strings.HasSuffix(t, "/"+file) {
			return strings.TrimPrefix(t, "proxy:")
		}
	}
	return ""
}

// bigTable measures how long a new worker takes to answer from a texthash table of a million lines, and its memory.
func (s *site) bigTable() {
	const name = "texthash, 1000000 lines, load"
	if !wanted(name) {
		return
	}
	var text strings.Builder
	for i := range 1_000_000 {
		fmt.Fprintf(&text, "user%07d@bench.example mailbox-%07d\n", i, i)
	}
	table := "texthash:" + s.write("big", text.String())
	took, memory := map[contestant][]time.Duration{}, map[contestant][]float64{}
	for _, who := range []contestant{ours, theirs} {
		s.instance[who].SetMain("proxy_read_maps", "proxy:"+table+" proxy:static:value")
		s.instance[who].Reload()
	}
	for round := range rounds {
		for _, who := range []contestant{ours, theirs} {
			if round%2 == 1 {
				who = ours + theirs - who
			}
			s.endWorker(who)
			took[who] = append(took[who], s.firstAnswer(who, table, "user0999999@bench.example"))
			memory[who] = append(memory[who], s.resident(who))
		}
	}
	fmt.Printf("%-44s %9s %9s  %.2f x the time, %.1f and %.1f MiB: %.2f x the memory  must 1, 1\n", name,
		median(took[ours]).Round(time.Millisecond), median(took[theirs]).Round(time.Millisecond),
		float64(median(took[ours]))/float64(median(took[theirs])),
		median(memory[ours]), median(memory[theirs]), median(memory[ours])/median(memory[theirs]))
}

// starts measures the way of a client to the first answer of a worker that has to be started.
func (s *site) starts() {
	const name = "worker start to the first answer"
	if !wanted(name) {
		return
	}
	took, memory := map[contestant][]time.Duration{}, map[contestant][]float64{}
	for range 4 * rounds {
		for _, who := range []contestant{ours, theirs} {
			s.endWorker(who)
			took[who] = append(took[who], s.firstAnswer(who, "static:value", "key"))
			memory[who] = append(memory[who], s.resident(who))
		}
	}
	fmt.Printf("%-44s %9s %9s  %.2f x the time, resident %.1f and %.1f MiB  must 1, 24 MiB\n", name,
		median(took[ours]).Round(10*time.Microsecond), median(took[theirs]).Round(10*time.Microsecond),
		float64(median(took[ours]))/float64(median(took[theirs])), median(memory[ours]), median(memory[theirs]))
}

// firstAnswer returns how long a new client waits for its answer.
func (s *site) firstAnswer(who contestant, table, ask string) time.Duration {
	start := time.Now()
	fd, err := dial(s.socket(who))
	if err != nil {
		s.Fatal(err)
	}
	defer unix.Close(fd)
	reply := make([]byte, 4096)
	n, err := unix.Write(fd, lookups(table, []string{ask})[0])
	if err == nil {
		err = again(func() (err error) {
			n, err = unix.Read(fd, reply)
			return err
		})
	}
	if err != nil || !strings.HasPrefix(string(reply[:n]), string(found)) {
		s.Fatalf("%v: %q, %v", who, reply[:max(n, 0)], err)
	}
	return time.Since(start)
}

// endWorker ends the worker as an administrator would, and waits until the master has seen it.
func (s *site) endWorker(who contestant) {
	pid := s.worker(who)
	if pid == 0 {
		return
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		s.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err != nil {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("worker %d does not end", pid)
		}
	}
}

// worker returns the process id of the worker, 0 for none.
func (s *site) worker(who contestant) int {
	list := s.instance[who].Workers("proxymap", "proxymap")
	if len(list) == 0 {
		return 0
	}
	return list[0].PID
}

// resident returns the memory of the worker in MiB.
func (s *site) resident(who contestant) float64 {
	text, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(s.worker(who)), "status"))
	if err != nil {
		s.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kb); n == 1 {
			return kb / 1024
		}
	}
	s.Fatal("no VmRSS")
	return 0
}
