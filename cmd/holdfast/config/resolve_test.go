package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Every mix of the layers: the strongest that has a value wins, and is named.
func TestPrecedence(t *testing.T) {
	for mix := range 8 {
		flags := sample()
		var env, args []string
		var file map[string]Setting
		want := Setting{"4", Origin{Kind: Default}}
		if mix&1 != 0 {
			file = map[string]Setting{"shards": {"5", Origin{File, "f:1"}}}
			want = file["shards"]
		}
		if mix&2 != 0 {
			env = []string{"HOLDFAST_SHARDS=5", "HOLDFAST_SHARDS=6", "HOLDFAST_OTHER=9", "SHARDS=9", "HOLDFAST_shards=9"}
			want = Setting{"6", Origin{Environment, "HOLDFAST_SHARDS"}}
		}
		if mix&4 != 0 {
			args = []string{"--shards", "7"}
			want = Setting{"7", Origin{Flag, "--shards"}}
		}
		if err := flags.Parse(args); err != nil {
			t.Fatal(err)
		}
		got, err := Resolve(Sources{Flags: flags, Env: env, File: file})
		if err != nil || got["shards"] != want {
			t.Errorf("mix %d: %v, %v; wanted %v", mix, got["shards"], err, want)
		}
		if text := flags.Lookup("shards").Value.String(); text != want.Text {
			t.Errorf("mix %d: the flag is %s", mix, text)
		}
		if other := got["node-id"]; len(got) != 9 || other != (Setting{"n1", Origin{Kind: Default}}) {
			t.Errorf("mix %d: %d settings; node-id %v", mix, len(got), other)
		}
	}
}

// A variable that makes no sense is refused, also when a flag beats it, and changes no flag.
func TestVariables(t *testing.T) {
	for env, want := range map[string]string{
		"HOLDFAST_SHARDS=many":         `HOLDFAST_SHARDS: "many": a whole number is wanted`,
		"HOLDFAST_SHARDS=":             "a whole number is wanted",
		"HOLDFAST_SHARDS":              "a whole number is wanted",
		"HOLDFAST_INSECURE=perhaps":    "true or false is wanted",
		"HOLDFAST_DRAIN_TIMEOUT=20":    "a duration with its unit",
		"HOLDFAST_SEED=postgres://a:b": "the value (not shown",
	} {
		flags := sample()
		if err := flags.Parse([]string{"--shards", "7"}); err != nil {
			t.Fatal(err)
		}
		_, err := Resolve(Sources{Flags: flags, Env: []string{"HOLDFAST_NODE_ID=n9", env}})
		if !errors.Is(err, ErrValue) || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%s: %v", env, err)
		}
		if id := flags.Lookup("node-id").Value.String(); id != "n1" {
			t.Errorf("%s: the node is %s", env, id)
		}
	}
	if got, err := Resolve(Sources{Flags: sample(), Env: []string{"HOLDFAST_SHARDS=0x10", "HOLDFAST_INSECURE=1"}}); err != nil || got["shards"].Text != "0x10" {
		t.Errorf("%v, %v", got, err)
	}
}

// stubborn is a flag with a type of its own.
type stubborn struct{}

func (stubborn) String() string   { return "" }
func (stubborn) Set(string) error { return errors.New("never") }
func (stubborn) Type() string     { return "stubborn" }

func TestAFlagThatRefuses(t *testing.T) {
	flags := sample()
	flags.Var(stubborn{}, "mule", "")
	_, err := Resolve(Sources{Flags: flags, File: map[string]Setting{"mule": {"go", Origin{File, "f:3"}}}})
	if !errors.Is(err, ErrValue) || !strings.HasPrefix(err.Error(), `f:3: mule: "go" is not taken`) {
		t.Errorf("%v", err)
	}
}
