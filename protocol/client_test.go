package protocol

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var ctx = context.Background()

// lookupX asks for a key of the table static:x.
func lookupX(c *Client) (string, error) {
	r, err := c.Lookup(ctx, "static:x", 16448, 16464, []byte("k"))
	return string(r.Value), err
}

func TestClientSpeaksEveryDialect(t *testing.T) {
	for _, test := range []struct {
		name, greeting string
		dialect        Dialect
		dials          int
		lookup         string
		openFlags      uint32
	}{
		{"3.5", "", Dialect37, 2, "request~lookup~table~static:x~flags~2113600~key~k~~", 16448 | 1<<21},
		{"3.7", greeting, Dialect37, 2, "request~lookup~table~static:x~flags~2113600~key~k~~", 16448 | 1<<21},
		{"3.11", greeting, Dialect311, 1, "request~lookup~table~static:x~instance_flags~2113600~flags~16464~key~k~~", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			var heard []string
			withClient(t, ClientOptions{}, []script{postfix(test.greeting, test.dialect, &heard)}, func(c *Client, s *fakeService) {
				const flags = 16448 | 1<<21 // LOCK, FOLD_FIX, SRC_RHS_IS_FILE
				opened, err := c.Open(ctx, "static:x", flags)
				if err != nil || opened != test.openFlags {
					t.Errorf("open: %d, %v; want %d", opened, err, test.openFlags)
				}
				for range 3 {
					r, err := c.Lookup(ctx, "static:x", flags, 16464, []byte("k"))
					if err != nil || string(r.Value) != "x" {
						t.Errorf("lookup: %q, %v", r.Value, err)
					}
					if want := map[Dialect]uint32{Dialect37: 16464, Dialect311: 1}[test.dialect]; r.Flags != want {
						t.Errorf("flags after lookup %d, want %d", r.Flags, want)
					}
				}
				if _, err := c.Lookup(ctx, "inline:{a=b}", flags, 16464, []byte("k")); !errors.Is(err, ErrNoKey) {
					t.Errorf("no key: %v", err)
				}
				if _, err := c.Update(ctx, "static:x", flags, 0, []byte("k"), []byte("v")); !errors.Is(err, ErrDeny) {
					t.Errorf("update: %v", err)
				}
				if _, err := c.Delete(ctx, "static:x", flags, 0, []byte("k")); !errors.Is(err, ErrDeny) {
					t.Errorf("delete: %v", err)
				}
				if r, err := c.Sequence(ctx, "static:x", flags, 0, SequenceFirst); err != nil || string(r.Value) != "x" {
					t.Errorf("sequence: %+v, %v", r, err)
				}
				if len(s.dials) != test.dials {
					t.Errorf("%d connections, want %d", len(s.dials), test.dials)
				}
				if got := heard[max(0, len(heard)-5)]; strings.Replace(got, "inline:{a=b}", "static:x", 1) != test.lookup {
					t.Errorf("sent %s\nwant %s", got, test.lookup)
				}
				s.wantWarnings()
			})
		})
	}
}

func TestClientFollowsUpgrade(t *testing.T) {
	var heard []string
	for _, from := range []Dialect{Dialect37, Dialect311} {
		to := Dialect37 + Dialect311 - from
		hangUp := func(f *fakeConn) {
			f.say(greeting)
			f.hear()
		}
		scripts := []script{postfix(greeting, from, &heard)}
		withClient(t, ClientOptions{IdleLimit: time.Minute}, scripts, func(c *Client, s *fakeService) {
			if _, err := lookupX(c); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour) // the connection is gone
			s.scripts = []script{hangUp, postfix(greeting, to, &heard)}
			s.dials = nil
			if v, err := lookupX(c); err != nil || v != "x" {
				t.Errorf("%v to %v: %q, %v", from, to, v, err)
			}
		})
	}
}

// TestGenuineBad: a BAD that is meant is reported, and does not change what is
// known of the server.
func TestGenuineBad(t *testing.T) {
	const bad311 = "status~3~flags~0~value~~~"
	withClient(t, ClientOptions{}, []script{answers(greeting, bad311, "status~0~flags~0~value~x~~")}, func(c *Client, s *fakeService) {
		_, err := lookupX(c)
		if !errors.Is(err, ErrBad) || Retryable(err) {
			t.Errorf("got %v", err)
		}
		if want := `proxymap lookup failed for table "static:x" key "k": invalid request`; err.Error() != want {
			t.Errorf("got %q\nwant %q", err, want)
		}
		if v, err := lookupX(c); v != "x" {
			t.Errorf("%q, %v", v, err)
		}
		s.wantDials(0)
	})
	// The reply to open looks the same in both dialects: the client asks twice.
	withClient(t, ClientOptions{}, []script{answers(greeting, "status~3~flags~0~~")}, func(c *Client, s *fakeService) {
		if _, err := c.Open(ctx, "nocolon", 0); !errors.Is(err, ErrBad) {
			t.Errorf("got %v", err)
		}
		s.wantDials(0, 0)
	})
}

func TestStatusErrors(t *testing.T) {
	for status, want := range map[string]struct {
		err   error
		retry bool
		text  string
	}{
		"1": {ErrNoKey, false, `proxywrite update failed for table "static:x" key "k": key not found`},
		"2": {ErrRetry, true, `proxywrite update failed for table "static:x" key "k": temporary error`},
		"4": {ErrDeny, false, `proxywrite update access is not configured for table "static:x"`},
		"5": {ErrConfig, false, `proxywrite update failed for table "static:x" key "k": configuration error`},
	} {
		withClient(t, ClientOptions{Service: "proxywrite"}, []script{answers(greeting, "status~"+status+"~flags~0~~")}, func(c *Client, s *fakeService) {
			_, err := c.Update(ctx, "static:x", 0, 0, []byte("k"), []byte("v"))
			if !errors.Is(err, want.err) || Retryable(err) != want.retry || err.Error() != want.text {
				t.Errorf("status %s: %v (retryable: %v), want %v", status, err, Retryable(err), want.text)
			}
			s.wantDials(0)
		})
	}
}

// TestReconnect: each server fails the request in its way; the next succeeds.
func TestReconnect(t *testing.T) {
	const good = "status~0~flags~0~value~x~~"
	for _, test := range []struct {
		name  string
		first script
		warns []string
	}{
		{"no server yet", nil, nil},
		{"closes before the request", func(f *fakeConn) { f.say(greeting) }, nil},
		{"closes before the reply", func(f *fakeConn) { f.say(greeting); f.hear() }, nil},
		{"closes in the reply", answers(greeting, "status~0~flags~0~val"), nil},
		{"garbage", answers("HTTP/1.1 400 Bad Request\r\n\r\n~~", ""), []string{"unexpected attribute HTTP/1.1 400 Bad Request???? in reply (expecting: status)"}},
		{"another service", answers("protocol~anvil_protocol~~", ""), []string{"unexpected protocol anvil_protocol (expected: proxymap_protocol)"}},
		{"announcement twice", answers(greeting+greeting, ""), []string{"unexpected attribute protocol"}},
		{"long announcement", answers("protocol~proxymap_protocol~x~y~~", ""), []string{"unexpected attribute x"}},
		{"no status", answers(greeting, "value~x~~"), []string{"unexpected attribute value"}},
		{"empty reply", answers(greeting, "~"), []string{"missing attribute status"}},
		{"not a number", answers(greeting, "status~ok~~"), []string{"malformed numerical data in reply: ok"}},
		{"no value", answers(greeting, "status~0~flags~0~~"), []string{"missing attribute value"}},
		{"extra attribute", answers(greeting, "status~0~flags~0~value~x~more~y~~"), []string{"unexpected attribute more"}},
		{"other dialect", answers(greeting, "status~0~value~x~~"), []string{"in the form of Postfix 2.0-3.10"}},
		{"unexpected status", answers(greeting, "status~77~flags~0~value~~~"), []string{`proxymap lookup failed for table "static:x" key "k": unexpected reply status 77`}},
		{"endless value", func(f *fakeConn) {
			f.say(greeting + "status~0~flags~0~value~")
			for {
				if _, err := f.conn.Write(make1k('x')); err != nil {
					return
				}
			}
		}, []string{"string too long"}},
		{"endless list", func(f *fakeConn) {
			for {
				if _, err := f.conn.Write(wire(greeting)); err != nil {
					return
				}
			}
		}, []string{"unexpected attribute protocol"}},
		{"silence", func(f *fakeConn) { f.say(greeting); f.hear(); f.hear() }, []string{"timeout"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			opt := ClientOptions{Timeout: 5 * time.Second}
			withClient(t, opt, []script{test.first, answers(greeting, good)}, func(c *Client, s *fakeService) {
				if v, err := lookupX(c); v != "x" || err != nil {
					t.Fatalf("%q, %v", v, err)
				}
				want := time.Second // the pause
				if test.name == "silence" {
					want += opt.Timeout
				}
				s.wantDials(0, want)
				s.wantWarnings(test.warns...)
			})
		})
	}
}

func make1k(c byte) []byte { return []byte(strings.Repeat(string(c), 1024)) }

// TestServerLeavesBetweenRequests: no pause and no warning for a connection
// that the server has closed since the last reply.
func TestServerLeavesBetweenRequests(t *testing.T) {
	one := answers(greeting, "status~0~flags~0~value~x~~")
	withClient(t, ClientOptions{}, []script{one}, func(c *Client, s *fakeService) {
		for range 3 {
			if v, err := lookupX(c); v != "x" || err != nil {
				t.Fatalf("%q, %v", v, err)
			}
			synctest.Wait()
		}
		s.wantDials(0, 0, 0)
		s.wantWarnings()
	})
}

func TestClientGivesUp(t *testing.T) {
	withClient(t, ClientOptions{MaxTries: 3}, []script{nil}, func(c *Client, s *fakeService) {
		_, err := lookupX(c)
		if !errors.Is(err, ErrConnection) || !errors.Is(err, fs.ErrNotExist) || !Retryable(err) {
			t.Errorf("got %v", err)
		}
		s.wantDials(0, time.Second, 2*time.Second)
		s.wantWarnings("dict_proxy_lookup: service proxymap: connect to proxymap", "dict_proxy_lookup")
	})
	opt := ClientOptions{MaxTries: 1000, RetryTime: 5 * time.Second, Pause: 2 * time.Second}
	withClient(t, opt, []script{answers(greeting, "status~2~flags~0~~")}, func(c *Client, s *fakeService) {
		_, err := c.Open(ctx, "static:x", 0) // RETRY is no answer to open
		if !errors.Is(err, ErrUnexpectedStatus) || errors.Is(err, ErrRetry) || !Retryable(err) {
			t.Errorf("got %v", err)
		}
		if want := `proxymap open failed for table "static:x": unexpected reply status 2`; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
		s.wantDials(0, 2*time.Second, 4*time.Second)
	})
}

func TestIdleAndTTL(t *testing.T) {
	var heard []string
	scripts := []script{postfix(greeting, Dialect311, &heard)}
	opt := ClientOptions{IdleLimit: 5 * time.Second, TTL: 21 * time.Second}
	withClient(t, opt, scripts, func(c *Client, s *fakeService) {
		ask := func() {
			t.Helper()
			if v, err := lookupX(c); v != "x" || err != nil {
				t.Fatalf("%q, %v", v, err)
			}
		}
		ask()
		time.Sleep(4900 * time.Millisecond)
		ask()
		time.Sleep(5100 * time.Millisecond) // idle for too long at 9.9 s
		if c.turn <- struct{}{}; c.stream != nil {
			t.Error("an idle connection is still open")
		}
		<-c.turn
		ask() // at 10 s
		for range 6 {
			time.Sleep(4 * time.Second)
			ask()
		}
		s.wantDials(0, 10*time.Second, 34*time.Second)
		s.wantWarnings()
	})
}

// TestSlowAnswerIsNotIdleness: the idle limit counts from the last reply.
func TestSlowAnswerIsNotIdleness(t *testing.T) {
	const good = "status~0~flags~0~value~x~~"
	slow := func(f *fakeConn) {
		f.say(greeting)
		f.hear()
		time.Sleep(8 * time.Second)
		f.say(good)
		f.hear()
		f.say(good)
	}
	withClient(t, ClientOptions{IdleLimit: 5 * time.Second}, []script{slow}, func(c *Client, s *fakeService) {
		for range 2 {
			if v, err := lookupX(c); v != "x" || err != nil {
				t.Fatalf("%q, %v", v, err)
			}
			synctest.Wait()
		}
		s.wantDials(0)
	})
}

// TestUnaskedReply: what a server says beyond the reply is never taken for the
// reply to the next request.
func TestUnaskedReply(t *testing.T) {
	const good, stale = "status~0~flags~0~value~x~~", "status~0~flags~0~value~stale~~"
	twice := func(f *fakeConn) {
		f.say(greeting)
		f.hear()
		f.say(good + stale)
		f.hear()
		f.say(good)
	}
	withClient(t, ClientOptions{}, []script{twice}, func(c *Client, s *fakeService) {
		for range 2 {
			if v, err := lookupX(c); v != "x" || err != nil {
				t.Fatalf("%q, %v", v, err)
			}
		}
		s.wantDials(0, 0)
	})
}

// TestFlagsOfOlderClients follows the masks in dict.h of Postfix 3.7.
func TestFlagsOfOlderClients(t *testing.T) {
	const (
		dupWarn, fixed, pattern, lock = 1 << 0, 1 << 4, 1 << 5, 1 << 6
		openLock, rhsIsFile           = 1 << 16, 1 << 21
	)
	q := Request{Kind: Open, InstanceFlags: lock | pattern | openLock | rhsIsFile}
	if got := in37(q).InstanceFlags; got != openLock|rhsIsFile {
		t.Errorf("open sends %#x", got)
	}
	r := Reply{Flags: fixed | dupWarn}
	if from37(&q, &r); r.Flags != lock|openLock|rhsIsFile|fixed {
		t.Errorf("open returns %#x", r.Flags)
	}
	q = Request{Kind: Lookup, InstanceFlags: lock | rhsIsFile, Flags: dupWarn | fixed}
	if got := in37(q).Flags; got != rhsIsFile|dupWarn {
		t.Errorf("lookup sends %#x", got)
	}
	if from37(&q, &r); r.Flags != dupWarn|fixed {
		t.Errorf("lookup returns %#x", r.Flags)
	}
}

func TestContext(t *testing.T) {
	never := func(f *fakeConn) {
		f.say(greeting)
		for f.hear() != "" {
		}
	}
	withClient(t, ClientOptions{}, []script{never}, func(c *Client, s *fakeService) {
		ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		start := time.Now()
		var wg sync.WaitGroup
		for range 3 { // one asks, two wait for their turn
			wg.Go(func() {
				if _, err := c.Open(ctx, "static:x", 0); err != context.DeadlineExceeded {
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("took %v", d)
		}
		s.wantWarnings()
	})
	withClient(t, ClientOptions{}, []script{nil}, func(c *Client, s *fakeService) {
		ctx, cancel := context.WithCancel(ctx)
		time.AfterFunc(300*time.Millisecond, cancel) // in the pause
		if _, err := c.Open(ctx, "static:x", 0); err != context.Canceled {
			t.Errorf("got %v", err)
		}
		if _, err := c.Open(ctx, "static:x", 0); err != context.Canceled {
			t.Errorf("got %v", err)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	var heard []string
	withClient(t, ClientOptions{}, []script{postfix(greeting, Dialect311, &heard)}, func(c *Client, s *fakeService) {
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				name := strings.Repeat("v", i)
				if r, err := c.Lookup(ctx, "static:"+name, 0, 0, []byte("k")); err != nil || string(r.Value) != name {
					t.Errorf("%q, %v; want %q", r.Value, err, name)
				}
			})
		}
		wg.Wait()
		s.wantDials(0)
	})
}

func TestClosedClient(t *testing.T) {
	withClient(t, ClientOptions{}, []script{nil}, func(c *Client, s *fakeService) {
		c.Close()
		if _, err := lookupX(c); !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v", err)
		}
		if _, err := c.Lookup(ctx, "static:x", 0, 0, []byte{0}); !errors.Is(err, ErrNUL) {
			t.Errorf("got %v", err)
		}
		s.wantDials()
	})
}
