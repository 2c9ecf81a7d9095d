package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"

	"holdfast/api/client"
	"holdfast/cmd/holdfast/demo"
)

// run runs the program in this process.
func run(env []string, args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = Run(Process{Args: args, Env: env, Out: &o, Err: &e})
	return code, o.String(), e.String()
}

// A demo whose counts disagree is exit 98, in both forms, and says what is wrong.
func TestBrokenPromiseIs98(t *testing.T) {
	proof := func(pass bool) demo.Proof {
		return demo.Proof{
			Pass: pass, Rows: []demo.Row{{Check: "units sold", Told: "10", Log: "10", Stored: "9", Pass: pass}}, Faults: []string{"order x is lost"}[:b2i(!pass)],
		}
	}
	for _, output := range []string{"table", "json"} {
		for _, pass := range []bool{true, false} {
			t.Run(fmt.Sprintf("output=%s/pass=%t", output, pass), func(t *testing.T) {
				var out, errs bytes.Buffer
				a := &app{Process: Process{Out: &out, Err: &errs}, output: output}
				err := a.showDemo(&demo.Demo{Proof: proof(pass)})
				want := ExitOK
				if !pass {
					want = ExitBroken
				}
				if code := codeOf(err, true); code != want {
					t.Errorf("exit code %d, not %d: %v", code, want, err)
				}
				if said := strings.Contains(errs.String(), "order x is lost"); said == pass {
					t.Errorf("standard error: %s", &errs)
				}
				if strings.Contains(out.String(), "FAIL") == pass && output == "table" {
					t.Errorf("standard output: %s", &out)
				}
			})
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestExitCodes(t *testing.T) {
	refused := &client.Problem{Status: 409, Code: "sold_out"}
	for name, test := range map[string]struct {
		err   error
		began bool
		want  int
	}{
		"well":        {nil, true, ExitOK},
		"refused":     {remoteError(refused), true, ExitFailed},
		"lost answer": {remoteError(&client.NoAnswer{Sent: true, Err: errors.New("EOF")}), true, ExitFailed},
		"certificate": {
			remoteError(&client.NoAnswer{Err: &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}}), true, ExitUnreachable},
		"speaks TLS":            {remoteError(&client.NoAnswer{Err: errors.New("this listener speaks TLS, use https")}), true, ExitUnreachable},
		"interrupted":           {remoteError(&client.NoAnswer{Err: context.Canceled}), true, ExitFailed},
		"bad address":           {remoteError(fmt.Errorf("%w: x", client.ErrAddr)), true, ExitUsage},
		"before it began":       {errors.New("unknown flag"), false, ExitUsage},
		"usage":                 {fmt.Errorf("wrapped: %w", usagef("no")), true, ExitUsage},
		"anything else":         {errors.New("disk full"), true, ExitFailed},
		"a code that was given": {exitWith(ExitCorrupt, errors.New("corrupt")), true, ExitCorrupt},
	} {
		if got := codeOf(test.err, test.began); got != test.want {
			t.Errorf("%s: %d, not %d", name, got, test.want)
		}
	}
}

// A flag beats its variable, which beats the default; a variable that is no flag's is refused, whatever the command.
func TestEnvironment(t *testing.T) {
	for name, test := range map[string]struct {
		env  []string
		args []string
		code int
		want string // in what was printed
	}{
		"default":               {nil, []string{"version"}, ExitOK, "VERSION"},
		"variable":              {[]string{"HOLDFAST_OUTPUT=json"}, []string{"version"}, ExitOK, `"version"`},
		"flag over variable":    {[]string{"HOLDFAST_OUTPUT=json"}, []string{"version", "-o", "table"}, ExitOK, "VERSION"},
		"another command's":     {[]string{"HOLDFAST_NODE_ID=n7", "HOLDFAST_ADDR=x"}, []string{"version"}, ExitOK, "VERSION"},
		"not ours":              {[]string{"HOLDFASTER=1", "PATH=/bin"}, []string{"version"}, ExitOK, "VERSION"},
		"unknown":               {[]string{"HOLDFAST_NODEID=n7"}, []string{"version"}, ExitUsage, "HOLDFAST_NODEID: no command has a flag --nodeid"},
		"wrong case":            {[]string{"HOLDFAST_node_id=n7"}, []string{"version"}, ExitUsage, "HOLDFAST_node_id"},
		"no help by variable":   {[]string{"HOLDFAST_HELP=true"}, []string{"version"}, ExitUsage, "HOLDFAST_HELP"},
		"a value that is none":  {[]string{"HOLDFAST_SHARDS=many"}, []string{"serve"}, ExitUsage, `HOLDFAST_SHARDS: "many": a whole number is wanted`},
		"a value out of bounds": {[]string{"HOLDFAST_SHARDS=0"}, []string{"serve"}, ExitUsage, "--shards"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := run(test.env, test.args...)
			if code != test.code || !strings.Contains(out+errs, test.want) {
				t.Errorf("exit code %d\n%s\n%s", code, out, errs)
			}
		})
	}
}

// Every command, whatever its depth, has help that begins with an example of itself.
func TestEveryHelpBeginsWithAnExample(t *testing.T) {
	a := &app{Process: Process{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}}}
	var walk func(path []string)
	walk = func(path []string) {
		code, out, errs := run(nil, append(path, "--help")...)
		want := "Example:\n  " + strings.Join(append([]string{"holdfast"}, path...), " ")
		if code != 0 || !strings.HasPrefix(out, want) || errs != "" {
			t.Errorf("%q: exit code %d\n%s%s", path, code, out, errs)
		}
		cmd, _, err := a.root().Find(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, below := range cmd.Commands() {
			walk(append(path[:len(path):len(path)], below.Name()))
		}
	}
	walk(nil)
}

func TestShellWord(t *testing.T) {
	for word, want := range map[string]string{"cart-1": "cart-1", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$(x)": "'$(x)'", "a/b": "a/b"} {
		if got := shellWord(word); got != want {
			t.Errorf("%q becomes %s, not %s", word, got, want)
		}
	}
}
