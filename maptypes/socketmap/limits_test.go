package socketmap_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/streamtest"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/socketmap"
)

// TestGigabyte checks that a reply of any size takes no more memory than the limit
// allows and than has arrived.
func TestGigabyte(t *testing.T) {
	b := streamtest.New(t, socketmap.Driver)
	server := streamtest.Listen(t, "tcp", func(conn net.Conn) {
		_, key, err := readRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		switch key {
		case "sent":
			_, _ = io.WriteString(conn, "1000000000:OK ")
			for zeros := make([]byte, 1<<16); err == nil; {
				_, err = conn.Write(zeros)
			}
		case "promised":
			_, _ = io.WriteString(conn, "1000000000:OK only this")
		case "digits":
			for err == nil {
				_, err = io.WriteString(conn, "00000000000000000000")
			}
		}
	})
	lookup := func(h *maptypes.Handle, key, want string) {
		t.Helper()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		value, err := streamtest.Get(context.Background(), h, key)
		runtime.ReadMemStats(&after)
		if maptypes.Class(err) != maptypes.ErrRetry || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %.40q %v, want %s", key, value, err, want)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
			t.Errorf("%s: %d bytes of memory", key, took)
		}
	}
	spec := "socketmap:" + server.Endpoint() + ":test"
	h := b.Open(spec, maptypes.ReadOnly)
	lookup(h, "sent", "lookup error: input exceeds size limit")
	lookup(h, "promised", "lookup error: input exceeds size limit")
	lookup(h, "digits", "lookup error: input exceeds size limit")
	b.SetMain("socketmap_max_reply_size", "2000000000")
	lookup(b.Open(spec, maptypes.ReadOnly), "promised", "lookup error: unexpected disconnect")
}

func TestMaxReplySize(t *testing.T) {
	t.Parallel()
	b := streamtest.New(t, socketmap.Driver)
	server := streamtest.Listen(t, "tcp", answerWith(func(_, key string) (string, bool) {
		return netstring("OK " + key), true
	}))
	b.SetMain("socketmap_max_reply_size", "10")
	h := b.Open("socketmap:"+server.Endpoint()+":test", maptypes.ReadOnly)
	if value, err := streamtest.Get(context.Background(), h, "1234567"); value != "1234567" || err != nil {
		t.Errorf("reply of 10 bytes: %q %v", value, err)
	}
	if value, err := streamtest.Get(context.Background(), h, "12345678"); maptypes.Class(err) != maptypes.ErrRetry {
		t.Errorf("reply of 11 bytes: %q %v", value, err)
	}
}

// TestOKWithoutValue is about a reply without the blank after OK, which is a value of
// no length in Postfix 3.11. (In older versions it was "not found".)
func TestOKWithoutValue(t *testing.T) {
	t.Parallel()
	b := streamtest.New(t, socketmap.Driver)
	server := streamtest.Listen(t, "tcp", answerWith(func(string, string) (string, bool) { return netstring("OK"), true }))
	if answer, log := b.Ours("socketmap:"+server.Endpoint()+":test", "key"); answer != "[]" || log != nil {
		t.Errorf("%s %q", answer, log)
	}
}

func TestClasses(t *testing.T) {
	t.Parallel()
	b := streamtest.New(t, socketmap.Driver)
	server := streamtest.Listen(t, "tcp", answerWith(func(_, key string) (string, bool) { return netstring(key), true }))
	h := b.Open("socketmap:"+server.Endpoint()+":test", maptypes.ReadOnly)
	for reply, want := range map[string]error{
		"OK x": nil, "NOTFOUND ": maptypes.ErrNotFound, "TEMP x": maptypes.ErrRetry, "TIMEOUT x": maptypes.ErrRetry, "PERM x": maptypes.ErrConfig, "x": maptypes.ErrRetry,
	} {
		if _, err := streamtest.Get(context.Background(), h, reply); maptypes.Class(err) != want {
			t.Errorf("%q: %v", reply, err)
		}
	}
	if n := server.Accepted(); n != 1 {
		t.Errorf("%d connections: an answer is no reason to end one", n)
	}
}

func TestOpenFlags(t *testing.T) {
	t.Parallel()
	b := streamtest.New(t, socketmap.Driver)
	const spec = "socketmap:inet:localhost:1:x"
	for _, c := range []struct {
		mode  maptypes.Mode
		flags maptypes.Flags
		want  string
	}{
		{maptypes.ReadWrite, 0, "socketmap:inet:localhost:1:x map requires O_RDONLY access mode"},
		{maptypes.Create, 0, "socketmap:inet:localhost:1:x map requires O_RDONLY access mode"},
		{maptypes.ReadOnly, maptypes.FlagNoUnauth, "socketmap:inet:localhost:1:x map is not allowed for security-sensitive data"},
	} {
		_, err := b.Env.Registry.Open(b.Env, spec, c.mode, c.flags)
		if !errors.Is(err, maptypes.ErrConfig) || err.Error() != c.want {
			t.Errorf("mode %d, flags %v: %v", c.mode, c.flags, err)
		}
	}
	h := b.Open(spec, maptypes.ReadOnly)
	if f := h.Flags(); f&maptypes.FlagPattern == 0 || f&maptypes.FlagFixed != 0 {
		t.Errorf("flags %v: partial keys must not be looked up", f)
	}
}

func TestBadParameters(t *testing.T) {
	t.Parallel()
	for name, values := range map[string]map[string]string{
		"socketmap_max_reply_size":            {"0": "invalid socketmap_max_reply_size parameter value 0 < 1", "1k": "bad numerical configuration: socketmap_max_reply_size = 1k"},
		"proxymapd_socketmap_max_connections": {"0": "invalid proxymapd_socketmap_max_connections parameter value 0 < 1"},
		"proxymapd_socketmap_timeout":         {"0": "invalid proxymapd_socketmap_timeout parameter value 0 < 1s", "1x": "proxymapd_socketmap_timeout: bad time value \"1x\": the unit must be one of s, m, h, d, w"},
		"proxymapd_socketmap_max_idle":        {"0s": "invalid proxymapd_socketmap_max_idle parameter value 0s < 1s"},
		"proxymapd_socketmap_max_ttl":         {"x": "proxymapd_socketmap_max_ttl: bad time value \"x\": the unit must be one of s, m, h, d, w"},
	} {
		for value, want := range values {
			b := streamtest.New(t, socketmap.Driver)
			b.SetMain(name, value)
			_, err := b.Env.Registry.Open(b.Env, "socketmap:inet:localhost:1:x", maptypes.ReadOnly, 0)
			if !errors.Is(err, maptypes.ErrConfig) || err.Error() != want {
				t.Errorf("%s = %s: %v, want %s", name, value, err, want)
			}
		}
	}
}

// TestKeysAreFolded checks the flag that folds keys for tables of patterns.
func TestKeysAreFolded(t *testing.T) {
	t.Parallel()
	b := streamtest.New(t, socketmap.Driver)
	server := streamtest.Listen(t, "tcp", answerWith(echo))
	for flags, want := range map[maptypes.Flags]string{
		maptypes.FlagFoldMul: "test=key", maptypes.FlagFoldFix: "test=KEY", 0: "test=KEY",
	} {
		h, err := b.Env.Registry.Open(b.Env, "socketmap:"+server.Endpoint()+":test", maptypes.ReadOnly, flags)
		if err != nil {
			t.Fatal(err)
		}
		if value, err := streamtest.Get(context.Background(), h, "KEY"); value != want || err != nil {
			t.Errorf("flags %v: %q %v, want %q", flags, value, err, want)
		}
		h.Close()
	}
}
