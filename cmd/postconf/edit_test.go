package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestEdit checks what 3.11 does and 3.7 does not, and what we do on purpose differently from both. For the rest see
// TestEditAgainstPostfix.
func TestEdit(t *testing.T) {
	const master = "smtp inet n - n - - smtpd\n  -o u1=1\n# relay\nrelay unix - - n - - smtp\n"
	for _, tc := range []struct {
		name, file string
		old        string
		args       []string
		want       string
		stderr     string
	}{
		{"value", "main.cf", "# a\nu1 = 1\n  2\n# b\n  3\nu2 = 3\n", []string{"u1=7"}, "# a\nu1 = 7\n# b\nu2 = 3\n", ""},
		{"last line without newline", "main.cf", "u1 = 1", []string{"u2=2"}, "u1 = 1\nu2 = 2\n", ""},
		{"comment without newline", "main.cf", "u1 = 1\n# end", []string{"-X", "u1"}, "# end\n", ""},
		{"new parameters are sorted", "main.cf", "u2 = 0\n", []string{"z=1", "b=2", "u2=3", "a=4", "y="}, "u2 = 3\na = 4\nb = 2\ny = \nz = 1\n", ""},
		{"the same twice", "main.cf", "u1 = 1\n", []string{"u1=7", "u1 = 7"}, "u1 = 7\n", ""},
		{"the same name twice", "main.cf", "u1 = 1\n", []string{"u1=7", "u1=8"}, "u1 = 8\n", "postconf: warning: ignoring earlier request: 'u1 = 7'\n"},
		{"the same name twice, excluded", "main.cf", "u1 = 1\n", []string{"-X", "u1", "u1 "}, "", ""},
		{"null byte", "main.cf", "u1 = a\x00b\nu2 = c\n", []string{"u2=d"}, "u1 = a\x00b\nu2 = d\n", ""},
		{"empty file", "main.cf", "", []string{"u1=1"}, "u1 = 1\n", ""},
		{"service", "master.cf", master, []string{"-M", "relay/unix=relay unix - - n - 5 smtp -v"},
			"smtp inet n - n - - smtpd\n  -o u1=1\n# relay\nrelay      unix  -       -       n       -       5       smtp -v\n", ""},
		{"service without newline", "master.cf", "a inet n - n - - smtpd\n  -o u1=1\n  # end", []string{"-P", "a/inet/u1=2"},
			"  # end\na          inet  n       -       n       -       -       smtpd\n    -o u1=2\n", ""},
		{"empty column", "master.cf", master, []string{"-F", "smtp/inet/private="}, master,
			"postconf: fatal: -Fe requires a value: \"smtp/inet/private=\"\n"},
		{"empty command", "master.cf", master, []string{"-F", "smtp/inet/command="}, master,
			"postconf: fatal: -Fe requires a value: \"smtp/inet/command=\"\n"},
		{"line number after a changed entry", "master.cf", master + "a unix\n", []string{"-P", "*/*/u1=2"}, master + "a unix\n",
			"postconf: fatal: file @DIR@/master.cf: line 5: bad field count\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			writeFile(t, dir, tc.file, tc.old)
			var stdout, stderr bytes.Buffer
			exit := run(append([]string{"-c", dir}, tc.args...), &stdout, &stderr)
			message := strings.ReplaceAll(stderr.String(), dir, "@DIR@")
			if failed := strings.Contains(tc.stderr, "fatal"); failed != (exit == 1) || stdout.Len() > 0 || message != tc.stderr {
				t.Errorf("exit %d\ngot  %s%s\nwant %s", exit, stdout.String(), message, tc.stderr)
			}
			if got := readText(t, dir, tc.file); got != tc.want {
				t.Errorf("got\n%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	dir := writeFiles(t, map[string]latin1{
		"main.cf": "compatibility_level = 3.6\nu1 = a \"b\\\x01\x7f\xff\n\tc\nrelayhost = $u1\n",
		"master.cf": "smtp inet n - n - - smtp -v -o u2=b -o { u3 = $u2\tc } { x y } {z w} 1\n" +
			"a\"b unix - - n - - pipe\n",
	})
	const smtp = `smtp -v -o u2=b -o {u3=`
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"-qj", "u1"}, `{"u1": "a \"b\\\u0001\u007F` + "\xff" + `\tc"}` + "\n"},
		{[]string{"-qjn", "max_use", "relayhost"}, `{"relayhost": "$u1"}` + "\n"},
		{[]string{"-jd", "max_use"}, `{"max_use": "100"}` + "\n"},
		{[]string{"-qMj"}, `{"smtp/inet": "smtp inet n - n - - ` + smtp + `$u2\tc} x y {z w} 1"}` + "\n" +
			`{"a\"b/unix": "a\"b unix - - n - - pipe"}` + "\n"},
		{[]string{"-qFjx", "smtp/inet/command"}, `{"smtp/inet/command": "` + smtp + `b\tc} x y {z w} 1"}` + "\n"},
		{[]string{"-qFj", "*/unix/service"}, `{"a\"b/unix/service": "a\"b"}` + "\n"},
		{[]string{"-qPjx", "smtp"}, `{"smtp/inet/u2": "b"}` + "\n" + `{"smtp/inet/u3": "b\tc"}` + "\n"},
		{[]string{"-qPPj", "smtp/inet/max_use"}, `{"smtp/inet/max_use": "100"}` + "\n"},
	} {
		var stdout, stderr bytes.Buffer
		exit := run(append([]string{"-c", dir}, tc.args...), &stdout, &stderr)
		if exit != 0 || stdout.String() != tc.want {
			t.Errorf("postconf %q: exit %d %s\ngot  %s\nwant %s", tc.args, exit, stderr.String(), stdout.String(), tc.want)
		}
	}
}
