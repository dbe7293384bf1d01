package service

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
)

// underPostfix starts Postfix's master with the worker as its only service but postlogd.
func underPostfix(t *testing.T, service string, main map[string]string) *postfixtest.Instance {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pf := postfixtest.New(t, postfixtest.Daemon(workerName, exe))
	for name, value := range main {
		pf.SetMain(name, value)
	}
	pf.SetMaster("postlog unix-dgram n - n - 1 postlogd", service)
	pf.Start(postfixtest.PostfixMaster())
	return pf
}

// talk sends a command to the service at path and returns the process ID of the worker that answers.
func talk(t *testing.T, path, text string) int {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	pid, err := command(c, text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return pid
}

func TestUnderPostfixMaster(t *testing.T) {
	pf := underPostfix(t, "test unix - - y - 3 "+workerName+" -v", map[string]string{"max_use": "4"})
	path := filepath.Join(pf.Queue, "private", "test")
	var clients sync.WaitGroup
	var seen sync.Map
	for range 5 {
		clients.Go(func() {
			for range 40 {
				c, err := net.Dial("unix", path)
				if err != nil {
					t.Error(err)
					return
				}
				c.SetDeadline(time.Now().Add(30 * time.Second))
				pid, err := command(c, "pid")
				if err != nil {
					t.Error(err)
				}
				seen.Store(pid, true)
				c.Close()
			}
		})
	}
	clients.Wait()
	workers := 0
	seen.Range(func(any, any) bool { workers++; return true })
	if workers < 10 {
		t.Errorf("%d workers served 200 clients, with max_use = 4", workers)
	}
	if trouble := pf.Trouble(); len(trouble) > 0 {
		t.Errorf("in the log:\n%s", strings.Join(trouble, "\n"))
	}
}

// The log lines pass through Postfix's own postlogd, which knows what they have to look like.
func TestLogUnderPostfixMaster(t *testing.T) {
	pf := underPostfix(t, "test unix - - y - - "+workerName, nil)
	pid := talk(t, filepath.Join(pf.Queue, "private", "test"), "log forged\rpostfix/smtpd[1]: fatal: \x1b[1mkey")
	line := pf.WaitLog("forged")
	want := fmt.Sprintf("postfix/%s[%d]: warning: forged?postfix/smtpd[1]: fatal: ?[1mkey", workerName, pid)
	if !strings.HasSuffix(line, " "+want) {
		t.Errorf("log line %q, want %q at its end", line, want)
	}
}

func TestReloadUnderPostfixMaster(t *testing.T) {
	pf := underPostfix(t, "proxywrite unix - - n - 1 "+workerName+" -v", nil)
	path := filepath.Join(pf.Queue, "private", "proxywrite")
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	before, err := command(c, "pid")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(c, "sleep 2s")
	if pid := talk(t, path, "pid"); pid != before { // by now the other request has been read, too
		t.Errorf("answer from %d, want %d", pid, before)
	}
	pf.Reload()
	pf.WaitLog(fmt.Sprintf(`%s\[%d\]: master disconnect -- exiting`, workerName, before))
	waiting := make(chan int, 1)
	go func() { waiting <- talk(t, path, "pid") }()
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil {
		t.Errorf("answer %q, %v", line, err)
	}
	if after := <-waiting; after == before {
		t.Errorf("worker %d is still there after a reload", before)
	}
	if trouble := pf.Trouble(); len(trouble) > 0 {
		t.Errorf("in the log:\n%s", strings.Join(trouble, "\n"))
	}
}

func TestBadStartUnderPostfixMaster(t *testing.T) {
	pf := underPostfix(t, "failing unix - - n - - "+workerName, nil)
	c, err := net.Dial("unix", filepath.Join(pf.Queue, "private", "failing"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	pf.WaitLog(`postfix/` + workerName + `\[\d+\]: fatal: no such thing as a failing service`)
	pf.WaitLog(`warning: .*/` + workerName + `: bad command startup -- throttling`)
}
