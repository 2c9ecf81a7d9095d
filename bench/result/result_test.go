package result_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"holdfast/bench/result"
)

// contract is the example of the interface's description; its names are fixed.
const contract = `{"scenario":"hot","target":"in-process","nodes":3,"loop":"closed","rate":0,"clients":64,"batch":1,"seed":1,"duration_s":10.0,"sink":"sqlite","fsync_delay_ms":0,
 "accepted":0,"accepted_per_s":0.0,"refused":0,"refused_per_s":0.0,"errors":0,"unknown":0,
 "latency_ms":{"p50":0.0,"p90":0.0,"p99":0.0,"p99_9":0.0,"max":0.0},
 "fsync_ms":{"p50":0.0,"p99":0.0},
 "audit":{"oversold":0,"undersold":0,"lost":0,"duplicated":0,"limit_broken":0},
 "machine":{"cpu":"","cores":2,"os":"","go":""},"commit":""}`

func TestContractNames(t *testing.T) {
	r, err := result.Parse("contract", []byte(contract))
	if err != nil {
		t.Fatal(err)
	}
	text, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var want, got map[string]any
	if err := errors.Join(json.Unmarshal([]byte(contract), &want), json.Unmarshal(text, &got)); err != nil {
		t.Fatal(err)
	}
	holds(t, "", want, got)
}

func holds(t *testing.T, at string, want, got map[string]any) {
	t.Helper()
	for name, value := range want {
		inner, nested := value.(map[string]any)
		if !nested {
			if got[name] != value {
				t.Errorf("%s%s is %v, the contract's example has %v", at, name, got[name], value)
			}
			continue
		}
		object, ok := got[name].(map[string]any)
		if !ok {
			t.Errorf("%s%s is no object", at, name)
			continue
		}
		holds(t, at+name+".", inner, object)
	}
}

func TestReadRefuses(t *testing.T) {
	for name, text := range map[string]string{"no JSON": "p99", "another JSON": `{"cells":[]}`, "no duration": `{"scenario":"hot","target":"http"}`} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "r.json")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := result.Read(file); !errors.Is(err, result.ErrNotAResult) {
				t.Errorf("err is %v", err)
			}
		})
	}
	if _, ok, err := result.ReadOptional(filepath.Join(t.TempDir(), "none.json")); ok || err != nil {
		t.Errorf("no file: %v, %v", ok, err)
	}
}
