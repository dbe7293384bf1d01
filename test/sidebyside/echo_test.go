package sidebyside

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// echoVar, in the environment, makes the test program the echo server at that socket.
const echoVar = "BENCH_ECHO_SOCKET"

func TestMain(m *testing.M) {
	if path := os.Getenv(echoVar); path != "" {
		if err := serveEcho(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// serveEcho answers every request with the same reply, without looking at it: what is left of a worker when all that
// is its own is taken away.
func serveEcho(path string) error {
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	reply := attributes("status", "0", "flags", "16448", "value", "value")
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			_, err := conn.Write(attributes("protocol", "proxymap"))
			for b := make([]byte, 4096); err == nil; {
				if _, err = conn.Read(b); err == nil {
					_, err = conn.Write(reply)
				}
			}
		}()
	}
}

// startEcho starts the echo server in a process of its own and returns its socket.
func startEcho(b *testing.B, dir string) string {
	b.Helper()
	path := filepath.Join(dir, "echo")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), echoVar+"="+path)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill() // fails only when it has ended
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return path
		}
		if time.Now().After(deadline) {
			b.Fatal("the echo server does not start")
		}
	}
}
