package service

import (
	"errors"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/proxymapd/proxymapd/internal/config"
)

func TestParseOptions(t *testing.T) {
	overrides := func(list ...string) []config.Override {
		var all []config.Override
		for i := 0; i < len(list); i += 2 {
			all = append(all, config.Override{Name: list[i], Value: list[i+1]})
		}
		return append(all, config.Override{Name: "process_id", Value: strconv.Itoa(os.Getpid())})
	}
	tests := []struct {
		args string
		want Options
	}{
		{"/usr/lib/postfix/sbin/proxymap -t unix -u", Options{Program: "proxymap", ServiceName: "proxymap", Transport: "unix",
			Sockets: 1, Unprivileged: true, Args: []string{},
			Overrides: overrides("process_name", "proxymap", "service_name", "proxymap")}},
		{"proxymap -n proxywrite -t unix -u -l -c", Options{Program: "proxymap", ServiceName: "proxywrite", Transport: "unix",
			Sockets: 1, Unprivileged: true, Alone: true, Chroot: true, Args: []string{},
			Overrides: overrides("process_name", "proxymap", "service_name", "proxywrite")}},
		{"proxymap -n 127.0.0.1:10 -t inet -s 2 -z -vv -o a=b -i 5s -o max_idle=7 -m 3 -d -D -V -S word -u", Options{
			Program: "proxymap", ServiceName: "127.0.0.1:10", Transport: "inet", Sockets: 2, NoLimit: true, Verbose: 2,
			Foreground: true, Debug: true, LogStderr: true, Stdio: true, Args: []string{"word", "-u"},
			Overrides: overrides("a", "b", "max_idle", "5s", "max_idle", "7", "max_use", "3", "process_name", "proxymap",
				"service_name", "127.0.0.1:10")}},
		{"proxymap --service-name=x --transport unix --max-use 3 --option a=b --stdio", Options{Program: "proxymap",
			ServiceName: "x", Transport: "unix", Sockets: 1, Stdio: true, Args: []string{},
			Overrides: overrides("max_use", "3", "a", "b", "process_name", "proxymap", "service_name", "x")}},
	}
	for _, test := range tests {
		got, err := ParseOptions(strings.Fields(test.args))
		if err != nil {
			t.Errorf("%s: %v", test.args, err)
		} else if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", test.args, got, test.want)
		}
	}
}

func TestParseOptionsEnvironment(t *testing.T) {
	t.Setenv("MAIL_DEBUG", "")
	t.Setenv("MAIL_VERBOSE", "1")
	opt, err := ParseOptions([]string{"proxymap", "-v"})
	if err != nil || opt.Verbose != 2 || opt.Debug {
		t.Errorf("got %+v, %v", opt, err)
	}
}

func TestParseOptionsErrors(t *testing.T) {
	for args, want := range map[string]string{
		"proxymap -x":       "invalid option: unknown shorthand flag: 'x'",
		"proxymap -s 0":     "invalid socket_count: 0",
		"proxymap -s three": "invalid option:",
		"proxymap -o name":  `invalid "-o name" option value`,
		"proxymap -m":       "invalid option: flag needs an argument",
	} {
		if _, err := ParseOptions(strings.Fields(args)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", args, err, want)
		}
	}
	if _, err := ParseOptions(nil); err == nil {
		t.Error("no error without a program name")
	}
	if _, err := ParseOptions([]string{"proxymap", "--help"}); !errors.Is(err, pflag.ErrHelp) {
		t.Errorf("--help: %v", err)
	}
}
