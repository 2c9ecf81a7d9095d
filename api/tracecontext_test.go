package api

import (
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
)

const (
	someTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	someParent = "00f067aa0ba902b7"
	someHeader = "00-" + someTrace + "-" + someParent + "-01"
)

func TestTraceparent(t *testing.T) {
	zeros := strings.Repeat("0", 32)
	for name, c := range map[string]struct {
		values  []string
		ok      bool
		sampled bool
	}{
		"sampled":                             {[]string{someHeader}, true, true},
		"not sampled":                         {[]string{"00-" + someTrace + "-" + someParent + "-00"}, true, false},
		"unknown flags":                       {[]string{"00-" + someTrace + "-" + someParent + "-fe"}, true, false},
		"unknown flags and sampled":           {[]string{"00-" + someTrace + "-" + someParent + "-ff"}, true, true},
		"later version, same length":          {[]string{"01-" + someTrace + "-" + someParent + "-01"}, true, true},
		"later version, more after a dash":    {[]string{"cc-" + someTrace + "-" + someParent + "-01-what-the-future-holds"}, true, true},
		"later version, only the dash":        {[]string{"01-" + someTrace + "-" + someParent + "-01-"}, true, true},
		"later version, more without a dash":  {[]string{"01-" + someTrace + "-" + someParent + "-01.more"}, false, false},
		"version 00 with more":                {[]string{someHeader + "-more"}, false, false},
		"version ff":                          {[]string{"ff-" + someTrace + "-" + someParent + "-01"}, false, false},
		"version that is none":                {[]string{"0x-" + someTrace + "-" + someParent + "-01"}, false, false},
		"upper case version":                  {[]string{"0A-" + someTrace + "-" + someParent + "-01"}, false, false},
		"upper case trace":                    {[]string{"00-" + strings.ToUpper(someTrace) + "-" + someParent + "-01"}, false, false},
		"upper case parent":                   {[]string{"00-" + someTrace + "-" + strings.ToUpper(someParent) + "-01"}, false, false},
		"upper case flags":                    {[]string{"00-" + someTrace + "-" + someParent + "-0A"}, false, false},
		"trace of zeros":                      {[]string{"00-" + zeros + "-" + someParent + "-01"}, false, false},
		"parent of zeros":                     {[]string{"00-" + someTrace + "-" + zeros[:16] + "-01"}, false, false},
		"a letter that is no digit":           {[]string{"00-" + someTrace[:31] + "g-" + someParent + "-01"}, false, false},
		"short trace":                         {[]string{"00-" + someTrace[:31] + "-" + someParent + "-01"}, false, false},
		"short trace made up for by a parent": {[]string{"00-" + someTrace[:31] + "-0" + someParent + "-01"}, false, false},
		"short flags":                         {[]string{someHeader[:len(someHeader)-1]}, false, false},
		"no dashes":                           {[]string{strings.ReplaceAll(someHeader, "-", "_")}, false, false},
		"spaces around":                       {[]string{" " + someHeader + " "}, false, false},
		"line end":                            {[]string{someHeader[:len(someHeader)-2] + "\r\n"}, false, false},
		"two in one":                          {[]string{someHeader + "," + someHeader}, false, false},
		"empty":                               {[]string{""}, false, false},
		"two headers":                         {[]string{someHeader, someHeader}, false, false},
		"none":                                {nil, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := parseTraceparent(c.values)
			if ok != c.ok {
				t.Fatalf("taken: %v", ok)
			}
			if ok && (got.traceID() != someTrace || hex.EncodeToString(got.parent[:]) != someParent || got.sampled != c.sampled) {
				t.Errorf("%+v", got)
			}
			h := http.Header{"Tracestate": {"vendor=1", "other=2"}}
			if c.values != nil {
				h["Traceparent"] = c.values
			}
			switch full := traceOf(h); {
			case full.span == [8]byte{} || full.trace == [16]byte{}:
				t.Errorf("an id of zeros: %+v", full)
			case c.ok && (full.traceID() != someTrace || full.state != "vendor=1,other=2" || full.span == full.parent):
				t.Errorf("not continued: %+v", full)
			case !c.ok && (full.traceID() == someTrace || full.state != "" || full.parent != [8]byte{} || full.sampled):
				t.Errorf("continued: %+v", full)
			}
		})
	}
}

// What is read is what was written, and nothing else is taken.
func FuzzTraceparent(f *testing.F) {
	for _, s := range []string{someHeader, "01-" + someTrace + "-" + someParent + "-01-x", "", "00-", strings.Repeat("-", 55)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseTraceparent([]string{s})
		if !ok {
			return
		}
		again := s[:3] + got.traceID() + "-" + hex.EncodeToString(got.parent[:]) + s[traceFlagsAt-1:]
		if again != s || strings.ToLower(s[:traceparentBytes]) != s[:traceparentBytes] {
			t.Errorf("%q was read as %q", s, again)
		}
	})
}

// A request without the header costs nothing for it, and one that has it only two comparisons of strings more.
func TestTraceContextAllocatesNothing(t *testing.T) {
	for name, h := range map[string]http.Header{"absent": {}, "present": {"Traceparent": {someHeader}}} {
		if n := testing.AllocsPerRun(100, func() { _ = traceOf(h) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
