package protocol

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand"
	"reflect"
	"strings"
	"testing"
	"testing/quick"
)

// readWriter is a connection made of a reader and a writer.
type readWriter struct {
	io.Reader
	io.Writer
}

// text generates what the protocol can carry.
func text(r *rand.Rand) []byte {
	b := make([]byte, r.Intn(200))
	for i := range b {
		b[i] = byte(1 + r.Intn(255))
	}
	return b
}

func randomRequest(r *rand.Rand) Request {
	q := Request{
		Kind:          Open + Kind(r.Intn(int(Explain))),
		Dialect:       Dialect37 + Dialect(r.Intn(2)),
		Table:         "t:" + string(text(r)),
		InstanceFlags: r.Uint32(),
	}
	q.Flags = q.InstanceFlags
	if q.Dialect == Dialect311 && q.Kind != Open {
		q.Flags = r.Uint32()
	}
	switch q.Kind {
	case Lookup, Delete, Explain:
		q.Key = text(r)
	case Update:
		q.Key, q.Value = text(r), text(r)
	case Sequence:
		q.Function = r.Intn(2)
	}
	return q
}

func TestRequestRoundTrip(t *testing.T) {
	roundTrip := func(seed int64) bool {
		want := randomRequest(rand.New(rand.NewSource(seed)))
		b, err := AppendRequest(nil, &want)
		if err != nil {
			t.Fatal(err)
		}
		c := NewServerConn(readWriter{Reader: bytes.NewReader(b)}, ServerOptions{})
		var got Request
		if err := c.ReadRequest(&got); err != nil {
			t.Logf("%s: %v", visible(string(b)), err)
			return false
		}
		same := got.Kind == want.Kind && got.Dialect == want.Dialect && got.Table == want.Table &&
			got.InstanceFlags == want.InstanceFlags && got.Flags == want.Flags && got.Function == want.Function &&
			bytes.Equal(got.Key, want.Key) && bytes.Equal(got.Value, want.Value)
		if err := c.ReadRequest(&got); err != io.EOF {
			t.Logf("at the end: %v, want EOF", err)
			return false
		}
		return same
	}
	if err := quick.Check(roundTrip, &quick.Config{MaxCount: 2000}); err != nil {
		t.Error(err)
	}
}

func TestReplyRoundTrip(t *testing.T) {
	roundTrip := func(seed int64) bool {
		rnd := rand.New(rand.NewSource(seed))
		q := randomRequest(rnd)
		want := Reply{Status: Status(rnd.Intn(6))}
		if replyHasFlags(q.Kind, q.Dialect) {
			want.Flags = rnd.Uint32()
		}
		if q.Kind == Sequence {
			want.Key = text(rnd)
		}
		if q.Kind == Sequence || q.Kind == Lookup || q.Kind == Explain {
			want.Value = text(rnd)
		}
		if q.Kind == Explain {
			want.Trace = text(rnd)
		}
		b, err := AppendReply(nil, &q, &want)
		if err != nil {
			t.Fatal(err)
		}
		got, form, err := readReply(&scanner{r: bytes.NewReader(b)}, q.Kind, true)
		if err != nil {
			t.Logf("%s: %v", visible(string(b)), err)
			return false
		}
		if wantForm := q.Dialect; q.Kind != Open && form != wantForm {
			t.Logf("form %v, want %v", form, wantForm)
			return false
		}
		return reflect.DeepEqual(got, want)
	}
	if err := quick.Check(roundTrip, &quick.Config{MaxCount: 2000}); err != nil {
		t.Error(err)
	}
}

func TestNULCannotBeSent(t *testing.T) {
	for _, q := range []Request{
		{Kind: Lookup, Table: "a:b\x00flags\x000"},
		{Kind: Lookup, Table: "a:b", Key: []byte("x\x00\x00")},
		{Kind: Update, Table: "a:b", Value: []byte{0}},
	} {
		if b, err := AppendRequest([]byte("kept"), &q); err != ErrNUL || string(b) != "kept" {
			t.Errorf("request %+v: %q, %v", q, b, err)
		}
	}
	var out bytes.Buffer
	c := NewServerConn(readWriter{Writer: &out}, ServerOptions{})
	q := Request{Kind: Lookup, Dialect: Dialect37}
	if err := c.WriteReply(&q, &Reply{Value: []byte("v\x00\x00status\x000")}); !errors.Is(err, ErrNUL) {
		t.Errorf("reply with NUL: %v", err)
	}
	explain := Request{Kind: Explain, Dialect: Dialect37}
	if err := c.WriteReply(&explain, &Reply{Trace: []byte("[\x00]")}); !errors.Is(err, ErrNUL) {
		t.Errorf("trace with NUL: %v", err)
	}
	if err := c.WriteReply(&q, &Reply{Status: StatusConfig}); err != nil {
		t.Error(err)
	}
	if got := visible(out.String()); got != "status~5~value~~~" {
		t.Errorf("sent %s", got)
	}
}

func TestParseUint(t *testing.T) {
	for _, test := range []struct {
		in   string
		want uint32
		ok   bool
	}{
		{"0", 0, true},
		{"16448", 16448, true},
		{" \t\n\v\f\r64", 64, true},
		{"+64", 64, true},
		{"-0", 0, true},
		{"0100", 100, true},
		{strings.Repeat("0", 1500) + "64", 64, true},
		{"4294967295", math.MaxUint32, true},
		{"4294967296", 0, true},
		{"4294967297", 1, true},
		{"18446744073709551615", math.MaxUint32, true},
		{"18446744073709551616", math.MaxUint32, true},
		{"99999999999999999999999", math.MaxUint32, true},
		{"", 0, false},
		{" ", 0, false},
		{"-", 0, false},
		{"+", 0, false},
		{"-1", 0, false},
		{"-99999999999999999999999", 0, false},
		{"+-1", 0, false},
		{"+ 1", 0, false},
		{"0x40", 0, false},
		{"64x", 0, false},
		{"64 ", 0, false},
		{"64\n", 0, false},
		{"abc", 0, false},
		{"99999999999999999999999x", 0, false},
	} {
		if got, ok := parseUint([]byte(test.in)); got != test.want || ok != test.ok {
			t.Errorf("%.40q: %d, %v; want %d, %v", test.in, got, ok, test.want, test.ok)
		}
	}
}

func TestNames(t *testing.T) {
	for k := Open; k <= Sequence; k++ {
		if kindOf([]byte(k.String())) != k {
			t.Errorf("%v is not read back", k)
		}
	}
	if kindOf([]byte("unknown")) != KindUnknown || kindOf([]byte("Lookup")) != KindUnknown {
		t.Error("a name that is no request is taken for one")
	}
	for s, want := range map[Status]string{0: "OK", 1: "NOKEY", 2: "RETRY", 3: "BAD", 4: "DENY", 5: "CONFIG", 6: "Status(6)"} {
		if s.String() != want {
			t.Errorf("status %d is called %s, want %s", int(s), s, want)
		}
	}
}
