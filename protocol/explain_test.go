package protocol

import (
	"bytes"
	"errors"
	"testing"
)

// TestExplain has a server explain, in both dialects.
func TestExplain(t *testing.T) {
	for name, reply := range map[string]string{
		"found":     "status~0~flags~16~value~v~trace~[1]~~",
		"not found": "status~1~flags~16~value~~trace~[2]~~",
	} {
		withClient(t, ClientOptions{}, []script{func(f *fakeConn) {
			f.say(greeting)
			if got, want := f.hear(), "request~explain~table~static:x~instance_flags~1~flags~2~key~k~~"; got != want {
				t.Errorf("the client says %s, want %s", got, want)
			}
			f.say(reply)
		}}, func(c *Client, _ *fakeService) {
			r, err := c.Explain(ctx, "static:x", 1, 2, []byte("k"))
			switch {
			case name == "found" && (err != nil || string(r.Value) != "v" || string(r.Trace) != "[1]" || r.Flags != 16):
				t.Errorf("%+v %v", r, err)
			case name == "not found" && (!errors.Is(err, ErrNoKey) || string(r.Trace) != "[2]"):
				t.Errorf("%+v %v", r, err)
			}
		})
	}
	// The older form is served, too.
	var out bytes.Buffer
	in := bytes.NewReader(wire("request~explain~table~static:x~flags~1~key~k~~"))
	conn := NewServerConn(readWriter{in, &out}, ServerOptions{})
	var q Request
	if err := conn.ReadRequest(&q); err != nil || q.Kind != Explain || string(q.Key) != "k" {
		t.Fatalf("%+v %v", q, err)
	}
	if err := conn.WriteReply(&q, &Reply{Value: []byte("v"), Trace: []byte("[]")}); err != nil {
		t.Fatal(err)
	}
	if got, want := visible(out.String()), "status~0~value~v~trace~[]~~"; got != want {
		t.Errorf("the reply is %s, want %s", got, want)
	}
}

// TestServersThatDoNotExplain: a Postfix server says BAD and nothing else. It is asked once, and what is known of its
// dialect stays as it was.
func TestServersThatDoNotExplain(t *testing.T) {
	lookup := func(f *fakeConn) {
		f.say(greeting)
		if got, want := f.hear(), "request~lookup~table~static:x~instance_flags~0~flags~0~key~k~~"; got != want {
			t.Errorf("the client says %s, want %s", got, want)
		}
		f.say("status~0~flags~16~value~v~~")
	}
	withClient(t, ClientOptions{}, []script{answers(greeting, "status~3~~"), lookup}, func(c *Client, s *fakeService) {
		if _, err := c.Explain(ctx, "static:x", 0, 0, []byte("k")); !errors.Is(err, ErrBad) {
			t.Errorf("explain: %v", err)
		}
		if r, err := c.Lookup(ctx, "static:x", 0, 0, []byte("k")); err != nil || string(r.Value) != "v" {
			t.Errorf("lookup: %+v %v", r, err)
		}
		s.wantDials(0, 0)
		s.wantWarnings()
	})
}
