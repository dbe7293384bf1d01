package http_test

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

// serve starts a server that answers with what handle says, a status and a body.
func serve(t testing.TB, handle func(r *nethttp.Request) (int, string)) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(handler(handle))
	t.Cleanup(s.Close)
	return s
}

func handler(handle func(r *nethttp.Request) (int, string)) nethttp.Handler {
	return nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		status, body := handle(r)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
}

// echo answers with the request's path and query as they were sent.
func echo(r *nethttp.Request) (int, string) { return 200, r.RequestURI + "\n" }

func TestURL(t *testing.T) {
	t.Parallel()
	s := serve(t, echo)
	for _, c := range []struct{ path, key, want string }{
		{"", "a", "/"},
		{"/x/%s", "a", "/x/a"},
		{"/x/%s", "joe@example.com", "/x/joe%40example.com"},
		{"/x/%d/%u", "joe@example.com", "/x/example.com/joe"},
		{"/x/%d", "joe", "-"},
		{"/x/%2.%1", "joe@mail.example.com", "/x/example.com"},
		{"/x?key=%s&y=%%41", "a&b=c#d", "/x?key=a%26b%3Dc%23d&y=%41"},
		{"?k=%s", "a", "/?k=a"},
		{"/x/%s", "a/../b", "/x/a%2F..%2Fb"},
		{"/x/%s", "a b%é\r\n\x7f", "/x/a%20b%25%C3%A9%0D%0A%7F"},
		{"/x/%s.json", ".", "/x/..json"},
	} {
		b := newBench(t)
		b.want(b.open("url = "+s.URL+c.path+"\n"), c.key, c.want)
	}
	b := newBench(t)
	b.wantError(b.open("url = "+s.URL+"/x/%u/y\n"), "..@example.com", maptypes.ErrConfig, `: the key "..@example.com" cannot be part of a url`)
	b.wantError(b.open("url = "+s.URL+"/x/.%s?a\n"), ".", maptypes.ErrConfig, "cannot be part of a url")
	b.want(b.open("url = "+s.URL+"/x?%s\n"), "..", "/x?..")
}

func TestStatus(t *testing.T) {
	t.Parallel()
	s := serve(t, func(r *nethttp.Request) (int, string) {
		status := 200
		fmt.Sscanf(r.URL.Path, "/%d", &status)
		return status, "body"
	})
	b := newBench(t)
	h := b.open("url = " + s.URL + "/%s\n")
	b.want(h, "200", "body")
	b.want(h, "404", "-")
	for _, status := range []string{"500", "502", "503", "504", "599", "408", "429"} {
		b.wantError(h, status, maptypes.ErrRetry, "query failed: status "+status)
		b.want(h, "200", "body")
	}
	for _, status := range []string{"201", "204", "301", "302", "400", "401", "403", "410", "414"} {
		b.wantError(h, status, maptypes.ErrConfig, "query failed: status "+status)
	}
	more := b.open("url = " + s.URL + "/%s\nnot_found_status = 410 204\n")
	b.want(more, "410", "-")
	b.want(more, "204", "-")
	b.wantError(more, "404", maptypes.ErrConfig, "status 404")
	if log := b.takeLog(); len(log) > 0 {
		t.Errorf("log %q", log)
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ settings, body, want string }{
		{"", "x\r\n", "x"},
		{"", " x y ", " x y "},
		{"", "a@b", "a@b"},
		{"", "", "-"},
		{"", "one\ntwo", "RETRY query failed: the answer has more than one line"},
		{"result_format = smtp:[%s]\n", "x", "smtp:[x]"},
		{"domain = example.org\n", "x", "-"},
		{"field = v\n", `{"v": "x", "w": "y"}`, "x"},
		{"field = v\n", `{"v": ""}`, "-"},
		{"field = v\n", `{"v": 12345678901234567890.50}`, "12345678901234567890.50"},
		{"field = v\n", `{"v": true}`, "true"},
		{"field = v\n", `{"v": null}`, "-"},
		{"field = v\n", `{}`, "-"},
		{"field = v\n", `null`, "-"},
		{"field = v\n", `"x"`, "RETRY query failed: the answer has no field v"},
		{"field = v\n", `{"v": ["a@b", "c", null, 3]}`, "a@b,c,3"},
		{"field = v\n", `{"v": []}`, "-"},
		{"field = v\nresult_format = %u\n", `{"v": ["a@b", "c"]}`, "a,c"},
		{"field = v\nexpansion_limit = 1\n", `{"v": ["a", "b"]}`, "RETRY Expansion limit exceeded"},
		{"field = v\nexpansion_limit = 1\n", `{"v": ["a"]}`, "a"},
		{"field = v\n", `{"v": {"w": 1}}`, "RETRY the field v is neither text nor a number"},
		{"field = v\n", `{"v": [["x"]]}`, "RETRY the field v is neither text nor a number"},
		{"field = a.b.1.c\n", `{"a": {"b": [0, {"c": "deep"}]}}`, "deep"},
		{"field = a.b.7.c\n", `{"a": {"b": [0, {"c": "deep"}]}}`, "-"},
		{"field = a.b.-1\n", `{"a": {"b": [0]}}`, "-"},
		{"field = a.b\n", `{"a": 5}`, "RETRY the answer has no field a.b"},
		{"field = v\n", `{"v": "x"`, "RETRY the answer is not JSON: "},
		{"field = v\n", `{"v": "x"} {"v": "y"}`, "RETRY the answer is not one JSON value"},
		{"field = v\n", `<html>`, "RETRY the answer is not JSON: "},
		{"field = v\n", strings.Repeat("[", 100000), "RETRY the answer is not JSON: "},
		{"body_size_limit = 10\n", "0123456789", "0123456789"},
		{"body_size_limit = 10\n", "0123456789a", "RETRY query failed: the answer is too large (body_size_limit)"},
	} {
		b := newBench(t)
		s := serve(t, func(*nethttp.Request) (int, string) { return 200, c.body })
		h := b.open("url = " + s.URL + "/%s\n" + c.settings)
		for range 2 {
			if text, ok := strings.CutPrefix(c.want, "RETRY "); ok {
				b.wantError(h, "joe@example.com", maptypes.ErrRetry, text)
			} else {
				b.want(h, "joe@example.com", c.want)
			}
		}
	}
}

func TestRequestHeaders(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := serve(t, func(r *nethttp.Request) (int, string) {
		user, password, _ := r.BasicAuth()
		return 200, fmt.Sprintf("%s|%s|%s|%s %s|%s|%s", r.Host, r.Header.Get("Accept"), r.Header.Get("Authorization"), user, password,
			r.Header.Get("X-One"), r.Header.Get("X-Two"))
	})
	host := strings.TrimPrefix(s.URL, "http://")
	token, headers := b.write("token", "t0ken-secret\n"), b.write("headers", "# comment\n\nX-One: 1 \nX-Two:two: 2\n")
	for settings, want := range map[string]string{
		"":                             host + "|text/plain, */*|| ||",
		"token_file = " + token + "\n": host + "|text/plain, */*|Bearer t0ken-secret| ||",
		"user = joe\npassword = p:w\n": host + "|text/plain, */*|Basic am9lOnA6dw==|joe p:w||",
		"header_file = " + headers:     host + "|text/plain, */*|| |1|two: 2",
	} {
		b.want(b.open("url = "+s.URL+"\n"+settings), "a", want)
	}
	elsewhere := b.open("url = http://api.example:99/\nhosts = " + host + "\n")
	b.want(elsewhere, "a", "api.example:99|text/plain, */*|| ||")
}

func TestTLSAndSockets(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := httptest.NewTLSServer(handler(echo))
	t.Cleanup(s.Close)
	ca := b.write("ca", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	address := s.Listener.Addr().String()
	b.want(b.open("url = "+s.URL+"/%s\ntls_CAfile = "+ca+"\n"), "a", "/a")
	b.want(b.open("url = https://example.com/%s\nhosts = "+address+"\ntls_CAfile = "+ca+"\n"), "a", "/a")
	b.want(b.open("url = "+s.URL+"/%s\ntls_verify_cert = no\n"), "a", "/a")
	b.takeLog()
	for settings, want := range map[string]string{
		"url = " + s.URL + "/%s\n": "certificate signed by unknown authority",
		"url = https://example.net/%s\nhosts = " + address + "\ntls_CAfile = " + ca + "\n":   "not example.net",
		"url = " + s.URL + "/%s\ntls_server_name = example.net\ntls_CAfile = " + ca + "\n\n": "not example.net",
	} {
		h := b.open(settings)
		b.wantError(h, "a", maptypes.ErrRetry, "")
		if log := strings.Join(b.takeLog(), "\n"); !strings.HasPrefix(log, "connect to http server "+address+": TLS: ") || !strings.Contains(log, want) {
			t.Errorf("log %q, want %q", log, want)
		}
	}
	// Plain requests to a server with TLS get status 400.
	b.wantError(b.open("url = http://"+address+"/%s\n"), "a", maptypes.ErrConfig, "status 400")

	path := filepath.Join(b.dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	local := &httptest.Server{Listener: l, Config: &nethttp.Server{Handler: handler(echo)}}
	local.Start()
	t.Cleanup(local.Close)
	b.want(b.open("url = http://localhost/%s\nhosts = unix:"+path+"\n"), "a", "/a")
}

// TestConnectionsAreKept counts connections: one is used again and again, and
// tables share it.
func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var made atomic.Int64
	s := httptest.NewUnstartedServer(handler(func(r *nethttp.Request) (int, string) {
		if r.URL.Path == "/missing" {
			return 404, strings.Repeat("sorry ", 1000)
		}
		return 200, strings.Repeat("x", 5000)
	}))
	s.Config.ConnState = func(_ net.Conn, state nethttp.ConnState) {
		if state == nethttp.StateNew {
			made.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	one, two := b.open("url = "+s.URL+"/%s\n"), b.open("url = "+s.URL+"/x/%s\n")
	for range 50 {
		b.want(one, "a", strings.Repeat("x", 5000))
		b.want(one, "missing", "-")
		b.want(two, "a", strings.Repeat("x", 5000))
	}
	if n := made.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
	many := b.open("url = " + s.URL + "/%s\nmax_connections = 3\nlookup_timeout = 60\n")
	made.Store(0)
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			for range 20 {
				b.want(many, "missing", "-")
			}
		})
	}
	wg.Wait()
	if n := made.Load(); n > 3 {
		t.Errorf("%d connections, 3 are allowed", n)
	}
}

func TestBadSettings(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	bad := b.write("bad", "X-Ok: 1\nno header secret\n")
	forbidden := b.write("forbidden", "Host: other\n")
	for _, c := range []struct{ settings, want string }{
		{"", "F: bad string length 0 < 1: url = "},
		{"url = ftp://x/\n", "bad url: ftp://x/: it must begin with http:// or https://"},
		{"url = x/y\n", "bad url: x/y: it must begin with http:// or https://"},
		{"url = http://\n", "bad url: http://: bad host name or port"},
		{"url = http://x:y/\n", "bad url: http://x:y/: bad host name or port"},
		{"url = http://u:secret@x/\n", "bad url: user and password are parameters of their own"},
		{"url = http://%d/\n", "bad url: http://%d/: the server cannot depend on the key"},
		{"url = http://x/#%s\n", "bad url: http://x/#%s: there is no use for a fragment"},
		{"url = http://x/a b\n", "bad url: http://x/a b: a character has to be written as %%XX"},
		{"url = http://x/%q\n", "db_common_parse: F: Invalid query template: /%q"},
		{"url = http://x/\nnot_found_status = 500\n", "bad not_found_status: 500"},
		{"url = http://x/\nnot_found_status = 200\n", "bad not_found_status: 200"},
		{"url = http://x/\ntls_verify_cert = no\n", "tls_ parameters need an https:// url"},
		{"url = http://x/\npassword = secret\n", "password needs user"},
		{"url = http://x/\nuser = x\ntoken = secret\n", "specify one of user and token"},
		{"url = http://x/\ntoken = sec\x01ret\n", "token has characters that cannot be sent"},
		{"url = http://x/\nheader_file = " + bad + "\n", bad + ", line 2: this is no header line"},
		{"url = http://x/\nheader_file = " + forbidden + "\n", forbidden + ", line 1: Host cannot be set"},
		{"url = http://x/\nheader_file = /no/such\n", "open /no/such: No such file or directory"},
		{"url = http://x/\nbody_size_limit = 0\n", "F: invalid body_size_limit parameter value 0 < 1"},
		{"url = http://x/\nhosts = a:b:c:d x:nope\n", `hosts: unknown port "nope" in "x:nope"`},
	} {
		path := b.write("t.cf", c.settings)
		h, err := b.env.Registry.Open(b.env, "http:"+path, maptypes.ReadOnly, flags)
		if err == nil {
			h.Close()
			t.Errorf("%q: opened", c.settings)
			continue
		}
		if got := strings.ReplaceAll(err.Error(), path, "F"); got != c.want {
			t.Errorf("%q: %s, want %s", c.settings, got, c.want)
		}
		if !errors.Is(err, maptypes.ErrConfig) && !strings.HasPrefix(err.Error(), "open ") {
			t.Errorf("%q: %v is no configuration error", c.settings, err)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", c.settings, err)
		}
	}
	spec := "http:" + b.write("t.cf", "url = http://x/\nurll = y\n")
	for mode, flags := range map[maptypes.Mode]maptypes.Flags{maptypes.ReadWrite: 0, maptypes.ReadOnly: maptypes.FlagNoUnauth} {
		if _, err := b.env.Registry.Open(b.env, spec, mode, flags); !errors.Is(err, maptypes.ErrConfig) {
			t.Errorf("mode %d, flags %v: %v", mode, flags, err)
		}
	}
	b.takeLog()
	b.open("url = http://x/\nurll = y\n")
	if log := b.takeLog(); len(log) != 1 || !strings.HasSuffix(log[0], "t.cf, line 2: unused parameter: urll") {
		t.Errorf("log %q", log)
	}
}
