package master

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/testenv"
	"golang.org/x/sys/unix"
)

// queue makes a directory like a queue directory and makes it the current one.
func queue(t *testing.T) {
	t.Helper()
	dir, err := os.MkdirTemp("", "pm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{"private", "public"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

// await fails the test when nothing comes.
func await(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: nothing happened", what)
	}
}

func TestWatcherReportsOnceForEachArm(t *testing.T) {
	queue(t)
	fd, err := listenLocal("private/x", unix.SOCK_STREAM, 5)
	if err != nil {
		t.Fatal(err)
	}
	reports := make(chan struct{}, 10)
	w, err := newWatcher(fd, "x", func() { reports <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	connect := func() net.Conn {
		conn, err := net.Dial("unix", "private/x")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	w.arm()
	connect()
	await(t, reports, "client while armed")
	connect()
	if !readable(fd) {
		t.Fatal("the watcher has accepted the clients")
	}
	w.arm() // the clients are still there
	await(t, reports, "arm while clients wait")
	if len(reports) != 0 {
		t.Error("more reports than arms")
	}
}

func TestClosedWatcherLetsGoOfTheName(t *testing.T) {
	queue(t)
	fd, err := listenLocal("private/x", unix.SOCK_STREAM, 5)
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWatcher(fd, "x", func() {})
	if err != nil {
		t.Fatal(err)
	}
	w.arm()
	w.close()
	if conn, err := net.Dial("unix", "private/x"); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("connected to a closed listener: %v, %v", conn, err)
	}
}

func TestStatusChannel(t *testing.T) {
	reports := make(chan struct{}, 10)
	c, err := newStatusChannel(func() { reports <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if _, err := c.read(); !errors.Is(err, errNoStatus) {
		t.Errorf("read from an empty channel: %v", err)
	}
	c.reader.arm()
	for _, m := range []string{"123", "twelve bytes"} {
		if _, err := unix.Write(c.worker, []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	await(t, reports, "status message")
	for _, want := range []string{"123", "twelve bytes"} { // not glued together
		if got, err := c.read(); string(got) != want || err != nil {
			t.Errorf("read %q, %v; want %q", got, err, want)
		}
	}
	if err := unix.Shutdown(c.worker, unix.SHUT_WR); err != nil {
		t.Fatal(err)
	}
	if _, err := c.read(); !errors.Is(err, errStatusClosed) {
		t.Errorf("read from a channel that was shut down: %v", err)
	}
}

// Workers see the end of the master as a hang-up.
func TestStatusChannelHangsUp(t *testing.T) {
	c, err := newStatusChannel(func() {})
	if err != nil {
		t.Fatal(err)
	}
	inherited, err := unix.Dup(c.worker)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(inherited)
	if pollNow(inherited, unix.POLLIN) {
		t.Fatal("readable while the master lives")
	}
	c.close()
	if n, err := unix.Read(inherited, make([]byte, 1)); n != 0 || err != nil {
		t.Errorf("read gives %d, %v; want end of file", n, err)
	}
}

func TestFlowPipeNeverBlocks(t *testing.T) {
	f, err := newFlowPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	if _, err := unix.Read(f.read, make([]byte, 1)); err != unix.EAGAIN {
		t.Errorf("read from the empty pipe: %v", err)
	}
	for {
		if _, err := unix.Write(f.write, make([]byte, 4096)); err != nil {
			if err != unix.EAGAIN {
				t.Errorf("write to the full pipe: %v", err)
			}
			return
		}
	}
}

func TestLocalEndpoints(t *testing.T) {
	testenv.Require(t, testenv.Root)
	u, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	queue(t)
	if err := os.Chmod("private", 0o777); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		transport string
		mode      uint32
	}{
		{transportUnix, unix.S_IFSOCK | 0o666},
		{transportPass, unix.S_IFSOCK | 0o666},
		{transportDgram, unix.S_IFSOCK | 0o666},
		{transportFifo, unix.S_IFIFO | 0o622},
	} {
		t.Run(test.transport, func(t *testing.T) {
			d := &definition{endpoint: endpoint{name: "private/x", transport: test.transport, backlog: 5}}
			fds, err := openListeners(d, owner{uid, gid}) // the former one is stale now
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fds[0])
			var st unix.Stat_t
			if err := unix.Lstat("private/x", &st); err != nil {
				t.Fatal(err)
			}
			if st.Mode != test.mode || int(st.Uid) != uid || int(st.Gid) != gid {
				t.Errorf("mode %o, owner %d:%d; want %o, %d:%d", st.Mode, st.Uid, st.Gid, test.mode, uid, gid)
			}
			if flags, _ := unix.FcntlInt(uintptr(fds[0]), unix.F_GETFL, 0); flags&unix.O_NONBLOCK == 0 {
				t.Error("the descriptor is a blocking one")
			}
			if flags, _ := unix.FcntlInt(uintptr(fds[0]), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 {
				t.Error("the descriptor is not closed on exec")
			}
		})
	}
}

// What the owner of private/ cannot do, the master does not do there for them.
func TestEndpointsAreMadeWithTheOwnersRights(t *testing.T) {
	testenv.Require(t, testenv.Root)
	queue(t)
	nobody := owner{65534, 65534}
	if err := os.Chmod("private", 0o700); err != nil { // belongs to root
		t.Fatal(err)
	}
	d := &definition{endpoint: endpoint{name: "private/x", transport: transportUnix, backlog: 5}}
	if _, err := openListeners(d, nobody); !errors.Is(err, unix.EACCES) {
		t.Errorf("endpoint in another user's directory: %v", err)
	}
	for range 20 { // on whatever thread: root again
		if err := os.WriteFile("private/root", nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	groups, err := os.Getgroups()
	if err != nil || os.Geteuid() != 0 || os.Getegid() != 0 {
		t.Errorf("after: uid %d, gid %d, groups %v, %v", os.Geteuid(), os.Getegid(), groups, err)
	}
}

func TestSocketNameTooLong(t *testing.T) {
	queue(t)
	name := "private/" + string(make([]byte, 100))
	if _, err := listenLocal(name, unix.SOCK_STREAM, 5); !errors.Is(err, unix.ENAMETOOLONG) {
		t.Errorf("error %v", err)
	}
}

func TestIPv6SocketLeavesIPv4Alone(t *testing.T) {
	fd, err := listenTCP(netip.MustParseAddrPort("[::]:0"), 5)
	if p, warnings := (protocols{ipv6: true}).supported(); !p.ipv6 {
		if err == nil || len(warnings) != 1 {
			t.Errorf("a machine without IPv6: %v, warnings %q", err, warnings)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(sa.(*unix.SockaddrInet6).Port)
	if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
		conn.Close()
		t.Error("an IPv4 client reached the IPv6 socket")
	}
	conn, err := net.Dial("tcp", "[::1]:"+port)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestBusyPortIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr := l.Addr().(*net.TCPAddr).AddrPort()
	_, err = listenTCP(addr, 5)
	want := "bind 127.0.0.1 port " + strconv.Itoa(int(addr.Port())) + ": Address already in use"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
