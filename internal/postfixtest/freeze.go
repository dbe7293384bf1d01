package postfixtest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// FreezeProcess stops a process with SIGSTOP and returns when all its threads have stopped, which they do one by one.
func FreezeProcess(t testing.TB, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		if err == syscall.ESRCH { // a child of a server may have ended
			return
		}
		t.Fatalf("stop process %d: %v", pid, err)
	}
	for deadline := time.Now().Add(patience); !frozen(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d does not stop", pid)
		}
	}
}

// frozen reports whether all threads of a process have stopped or ended.
func frozen(pid int) bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return false
	}
	for _, name := range threads {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		// pid (name) state ...: a name can have parentheses, too.
		state := text[bytes.LastIndexByte(text, ')')+1:]
		if !bytes.HasPrefix(state, []byte(" T")) && !bytes.HasPrefix(state, []byte(" Z")) && !bytes.HasPrefix(state, []byte(" X")) {
			return false
		}
	}
	return true
}
