package protocol

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// answer serves what r says until it ends. It counts the lists that are not
// exactly as they should be.
func answer(t *testing.T, r io.Reader) (replies []byte, bad int) {
	var out bytes.Buffer
	c := NewServerConn(readWriter{r, &out}, ServerOptions{Warn: func(string) { bad++ }})
	var q Request
	for {
		err := c.ReadRequest(&q)
		var b *BadRequest
		reply := Reply{Value: q.Key, Key: q.Value}
		if errors.As(err, &b) {
			bad++
			reply = b.Reply
			if reply.Status != StatusBad {
				t.Fatalf("%v is answered with %v", b, reply.Status)
			}
		} else if err == io.EOF {
			return out.Bytes(), bad
		} else if err != nil {
			t.Fatal(err)
		} else if q.Kind < Open || q.Kind > Explain || q.Dialect == DialectUnknown {
			t.Fatalf("half a request: %+v", q)
		}
		if b == nil || !b.NoReply {
			if err := c.WriteReply(&q, &reply); err != nil {
				t.Fatal(err)
			}
		}
		if b != nil && b.Hangup {
			return out.Bytes(), bad
		}
	}
}

// FuzzServer: whatever a client sends, the server reads to the end, its replies
// are well-formed, and packets do not matter to requests that are well-formed.
func FuzzServer(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		whole, bad := answer(t, bytes.NewReader(data))
		s := scanner{r: bytes.NewReader(whole)}
		for {
			s.begin()
			if _, err := s.next(MaxName); err == io.EOF && len(s.buffered()) == 0 {
				break
			} else if err != nil {
				t.Fatalf("replies %s: %v", visible(string(whole)), err)
			}
			for {
				if _, err := s.next(MaxValue); err != nil {
					t.Fatalf("replies %s: %v", visible(string(whole)), err)
				}
				name, err := s.next(MaxName)
				if err != nil {
					t.Fatalf("replies %s: %v", visible(string(whole)), err)
				}
				if len(s.bytes(name)) == 0 {
					break
				}
			}
		}
		if bad == 0 {
			bytewise, _ := answer(t, iotest.OneByteReader(bytes.NewReader(data)))
			if !bytes.Equal(whole, bytewise) {
				t.Errorf("in one packet: %s\nin many: %s", visible(string(whole)), visible(string(bytewise)))
			}
		}
	})
}

// FuzzReply: whatever a server sends, the client's decoder takes it or refuses
// it, and what it took says the same when it is sent on.
func FuzzReply(f *testing.F) {
	f.Fuzz(func(t *testing.T, kind int, data []byte) {
		k := Kind(uint(kind)%uint(Explain)) + Open
		r, form, err := readReply(&scanner{r: bytes.NewReader(data)}, k, true)
		if err != nil {
			return
		}
		if k == Explain && form == DialectUnknown {
			return // the answer of a server that does not have it
		}
		q := Request{Kind: k, Dialect: form}
		again, err := AppendReply(nil, &q, &r)
		if err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		r2, form2, err := readReply(&scanner{r: iotest.OneByteReader(bytes.NewReader(again))}, k, true)
		if err != nil || form2 != form || r2.Status != r.Status || r2.Flags != r.Flags ||
			!bytes.Equal(r2.Key, r.Key) || !bytes.Equal(r2.Value, r.Value) || !bytes.Equal(r2.Trace, r.Trace) {
			t.Fatalf("%+v became %+v (%v, %v, %v)", r, r2, form, form2, err)
		}
	})
}
