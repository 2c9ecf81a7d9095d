package lint

import (
	"fmt"
	"go/token"
	"maps"
	"slices"
	"strings"
	"testing"
)

// sample is a small tree and what a rule must say about it.
type sample struct {
	rule string
	name string
	// files are path and text.
	files map[string]string
	// want has one "path:line: part of the text" for each finding; none for a right sample.
	want []string
}

func one(path, text string) map[string]string { return map[string]string{path: text} }

// TestRules feeds every rule wrong samples, which it must find, and right ones, which it must leave alone.
func TestRules(t *testing.T) {
	seen := map[string][2]int{}
	for _, s := range slices.Concat(importSamples(), groupSamples(), shapeSamples(), bannedSamples(), pageSamples(), stepSamples()) {
		counts := seen[s.rule]
		if len(s.want) > 0 {
			counts[0]++
		} else {
			counts[1]++
		}
		seen[s.rule] = counts
		t.Run(s.rule+"/"+s.name, func(t *testing.T) { s.check(t) })
	}
	for _, r := range rules {
		if c := seen[r.name]; c[0] == 0 || c[1] == 0 {
			t.Errorf("rule %s has %d wrong samples and %d right ones", r.name, c[0], c[1])
		}
	}
}

func (s sample) check(t *testing.T) {
	t.Helper()
	tree := &Tree{fset: token.NewFileSet(), paths: map[string]bool{}}
	for _, path := range slices.Sorted(maps.Keys(s.files)) {
		if err := tree.add(path, s.files[path]); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, f := range Check(tree) {
		if f.Rule == s.rule {
			got = append(got, fmt.Sprintf("%s:%d: %s", f.Path, f.Line, f.Text))
		}
	}
	if len(got) != len(s.want) {
		t.Fatalf("got %d findings, want %d:\n%s", len(got), len(s.want), strings.Join(got, "\n"))
	}
	for i, want := range s.want {
		at, part, _ := strings.Cut(want, ": ")
		if !strings.HasPrefix(got[i], at+": ") || !strings.Contains(got[i], part) {
			t.Errorf("finding %d is %q, want %q", i, got[i], want)
		}
	}
}

func imports(pkg string, paths ...string) string {
	return "package " + pkg + "\n\nimport (\n\t_ \"" + strings.Join(paths, "\"\n\t_ \"") + "\"\n)\n"
}

func importSamples() []sample {
	return []sample{
		{"arrows", "the domain imports nothing of ours", one("stock/a.go", imports("stock", "holdfast/wal")),
			[]string{"stock/a.go:4: stock may not import wal"}},
		{"arrows", "the log knows no orders", one("wal/a.go", imports("wal", "holdfast/stock")), []string{"wal/a.go:4: import stock"}},
		{"arrows", "neighbours", one("actors/a.go", imports("actors", "holdfast/stock", "holdfast/cluster")),
			[]string{"actors/a.go:5: import cluster"}},
		{"arrows", "neighbours in a test", one("api/a_test.go", imports("api_test", "holdfast/actors")), []string{"api/a_test.go:4: import actors"}},
		{"arrows", "upwards", one("cluster/a.go", imports("cluster", "holdfast/wal", "holdfast/node")), []string{"cluster/a.go:5: import node"}},
		{"arrows", "upwards from below", one("storage/sub/a.go", imports("sub", "holdfast/cmd/holdfast")),
			[]string{"storage/sub/a.go:4: import cmd/holdfast"}},
		{"arrows", "internal outside tests",
			one("node/a.go", imports("node", "holdfast/internal/poll")), []string{"node/a.go:4: import internal/poll"}},
		{"arrows", "a test's package in the product", one("node/a.go", imports("node", "holdfast/wal/waltest")), []string{"node/a.go:4: serves tests"}},
		{"arrows", "a package nobody planned", one("misc/a.go", "package misc\n"), []string{"misc/a.go:0: no place"}},
		{"arrows", "a similar name is another package", one("stocks/a.go", "package stocks\n"), []string{"stocks/a.go:0: no place"}},
		{"arrows", "as drawn", map[string]string{
			"stock/a_test.go": imports("stock_test", "holdfast/stock", "holdfast/stock/oracle"), "wal/a.go": imports("wal", "holdfast/wal/memfs"),
			"cluster/a.go": imports("cluster", "holdfast/stock", "holdfast/wal", "holdfast/cluster/placement"),
			"api/a.go":     imports("api", "holdfast/stock"), "api/client/a.go": imports("client", "holdfast/api"),
			"node/a.go": imports("node", "holdfast/actors", "holdfast/api"), "cmd/holdfast/a.go": imports("main", "holdfast/node"),
			"node/a_test.go": imports("node", "holdfast/internal/poll", "holdfast/wal/waltest"), "wal/waltest/a.go": imports("waltest", "holdfast/wal"),
		}, nil},

		{"contained", "actors' library",
			one("node/a.go", imports("node", "github.com/asynkron/protoactor-go/actor")), []string{"node/a.go:4: node may not"}},
		{"contained", "half of it nowhere", one("actors/a.go", imports("actors", "github.com/asynkron/protoactor-go/remote")),
			[]string{"actors/a.go:4: actors may not"}},
		{"contained", "raft", one("actors/a.go", imports("actors", "github.com/hashicorp/raft")), []string{"actors/a.go:4: actors may not"}},
		{"contained", "http", one("cluster/a.go", imports("cluster", "net/http/pprof")), []string{"cluster/a.go:4: cluster may not"}},
		{"contained", "sql", one("cmd/holdfast/a.go", imports("main", "database/sql", "modernc.org/sqlite")),
			[]string{"cmd/holdfast/a.go:4: database/sql", "cmd/holdfast/a.go:5: sqlite"}},
		{"contained", "a test library in the product", one("stock/a.go", imports("stock", "pgregory.net/rapid")), []string{"stock/a.go:4: rapid"}},
		{"contained", "an unlisted one", one("api/a.go", imports("api", "gopkg.in/yaml.v3")), []string{"api/a.go:4: not in the table"}},
		{"contained", "where it belongs", map[string]string{
			"actors/a.go": imports("actors", "github.com/asynkron/protoactor-go/actor"), "wal/a.go": imports("wal", "github.com/hashicorp/raft"),
			"api/a.go": imports("api", "net/http", "holdfast/stock"), "storage/a.go": imports("storage", "database/sql", "modernc.org/sqlite"),
			"node/a_test.go": imports("node", "database/sql"), "stock/a_test.go": imports("stock", "pgregory.net/rapid", "net/url"),
			"stock/stocktest/a.go": imports("stocktest", "pgregory.net/rapid"),
		}, nil},
	}
}

func groupSamples() []sample {
	file := func(specs string) map[string]string {
		return one("node/a.go", "package node\n\nimport (\n"+specs+")\n")
	}
	return []sample{
		{"imports", "another order", file("\t_ \"holdfast/api\"\n\n\t_ \"fmt\"\n"), []string{"node/a.go:6: stand as"}},
		{"imports", "one heap", file("\t_ \"fmt\"\n\t_ \"example.org/x\"\n\t_ \"holdfast/api\"\n"),
			[]string{"node/a.go:5: no blank line", "node/a.go:6: no blank line"}},
		{"imports", "three groups", file("\t_ \"fmt\"\n\t_ \"os\"\n\n\t_ \"example.org/x\"\n\n\t_ \"holdfast/api\"\n"), nil},
		{"imports", "two groups of one kind", file("\t_ \"fmt\"\n\n\t_ \"os\"\n"), nil},
	}
}

func shapeSamples() []sample {
	body := func(lines int) string {
		return "package stock\n\nfunc f() {\n" + strings.Repeat("\tg()\n", lines) + "}\n"
	}
	return []sample{
		{"size", "a function of 71 lines", one("stock/a.go", body(69)), []string{"stock/a.go:3: f has 71 lines"}},
		{"size", "also in a test", one("stock/a_test.go", body(69)), []string{"stock/a_test.go:3: f has 71 lines"}},
		{"size", "a file of 601 lines", one("stock/a.go", "package stock\n"+strings.Repeat("\n", 600)), []string{"stock/a.go:0: 601 lines"}},
		{"size", "at the bounds", map[string]string{
			"stock/a.go": body(68), "stock/b.go": "package stock\n" + strings.Repeat("\n", 599),
			"stock/c_test.go": "package stock\n" + strings.Repeat("\n", 700),
		}, nil},

		{"package-doc", "none", one("stock/a.go", "package stock\n"), []string{"stock:0: no doc.go"}},
		{"package-doc", "cut off by a blank line",
			one("stock/doc.go", "// Package stock is it.\n\npackage stock\n"), []string{"stock/doc.go:3: directly above"}},
		{"package-doc", "another opening", one("stock/doc.go", "// The domain.\npackage stock\n"), []string{"stock/doc.go:1: Package stock"}},
		{"package-doc", "a command",
			one("cmd/holdfast/doc.go", "// Package main is it.\npackage main\n"), []string{"cmd/holdfast/doc.go:1: Command holdfast"}},
		{"package-doc", "a second one", map[string]string{
			"stock/doc.go": "// Package stock is it.\npackage stock\n", "stock/a.go": "// Step 10 of an order: apply.\npackage stock\n",
		}, []string{"stock/a.go:1: touches the package clause"}},
		{"package-doc", "as it should be", map[string]string{
			"stock/doc.go": "// Package stock is it.\npackage stock\n", "stock/a.go": "// Step 10 of an order: apply.\n\npackage stock\n",
			"cmd/holdfast/doc.go": "// Command holdfast is it.\npackage main\n", "tests/a_test.go": "package tests\n",
		}, nil},

		{"file-map", "incomplete, and out of date", map[string]string{
			"stock/doc.go": "// Package stock: a.go, gone.go, sqlite*.go.\npackage stock\n", "stock/a.go": "package stock\n", "stock/b.go": "package stock\n",
		}, []string{"stock/doc.go:1: gone.go", "stock/doc.go:1: sqlite*.go", "stock/doc.go:1: lacks b.go"}},
		{"file-map", "complete, by pattern, across packages, or of one file", map[string]string{
			"stock/doc.go": "// Package stock: a*.go; b.go, see api/a.go.\npackage stock\n", "stock/a1.go": "package stock\n", "stock/b.go": "package stock\n",
			"stock/b_test.go": "package stock\n", "api/doc.go": "// Package api is it.\npackage api\n", "api/a.go": "package api\n",
		}, nil},

		{"exported-doc", "functions, types, methods, values", one("stock/a.go",
			"package stock\n\nfunc F() {}\n\ntype T struct{}\n\nfunc (t *T) M() {}\n\nfunc (T) N() {}\n\n"+
				"const C = 1\n\nvar (\n\tV = 1\n)\n\ntype (\n\tU int\n)\n"),
			[]string{"stock/a.go:3: F", "stock/a.go:5: T", "stock/a.go:7: M", "stock/a.go:9: N", "stock/a.go:11: C", "stock/a.go:14: V", "stock/a.go:18: U"}},
		{"exported-doc", "a blank line ends a shared comment", one("stock/a.go",
			"package stock\n\ntype t[K any] int\n\n// T is one.\ntype T[K any] int\n\n"+
				"// M is one.\nfunc (T[K]) M() {}\n\nfunc (*T[K]) M2() {}\n\nfunc (t[K]) M() {}\n\nconst (\n"+
				"\t// A is one.\n\tA = 1\n\n\tB = 2\n)\n"), []string{"stock/a.go:11: M2", "stock/a.go:19: B"}},
		{"exported-doc", "documented, shared, not exported, or a test", map[string]string{
			"stock/a.go": "package stock\n\n// T is one.\ntype T int\n\n// M is one.\nfunc (T) M() {}\nfunc (u) M() {}\n\n" +
				"type u int\n\nfunc f() {}\n\n// Codes.\nconst (\n\tA = 1\n\n\tB = 2\n)\n\n" +
				"var (\n\t// X and Y are two.\n\tX = 1\n\tY = 2\n\n\tZ = 3 // Z is another.\n)\n",
			"stock/b.go":      "package stock\n\n// M is one.\nfunc (A) M() {}\nfunc (B) M() {}\nfunc (C) M() {}\n",
			"stock/a_test.go": "package stock\n\nfunc F() {}\n",
		}, nil},

		{"names", "types",
			one("stock/a.go", "package stock\n\ntype OrderManager int\n\ntype httpUtil struct{}\n\ntype SKUInfo int\n\nfunc f() { type data int }\n"),
			[]string{"stock/a.go:3: OrderManager", "stock/a.go:5: httpUtil", "stock/a.go:7: SKUInfo", "stock/a.go:9: data"}},
		{"names", "files and packages", map[string]string{"stock/order_helpers.go": "package stock\n", "api/utils/a.go": "package utils\n"},
			[]string{"api/utils/a.go:0: utils", "stock/order_helpers.go:0: helpers"}},
		{"names", "an interface named after its kind",
			one("stock/a.go", "package stock\n\ntype ILedger interface{}\n"), []string{"stock/a.go:3: ILedger"}},
		{"names", "names of the field",
			one("stock/metadata.go", "package stock\n\ntype Metadata int\n\ntype IO interface{}\n\ntype InFlight interface{}\n\ntype Implied int\n"), nil},
	}
}

func bannedSamples() []sample {
	return []sample{
		{"pure-core", "imports", one("stock/a.go", imports("stock", "os", "net/http", "math/rand/v2", "log/slog")),
			[]string{"stock/a.go:4: os", "stock/a.go:5: net/http", "stock/a.go:6: math/rand/v2", "stock/a.go:7: log/slog"}},
		{"pure-core", "the clock, under another name too", one("stock/a.go", "package stock\n\nimport clock \"time\"\n\nvar t = clock.Now()\n"),
			[]string{"stock/a.go:5: time.Now"}},
		{"pure-core", "a goroutine", one("stock/a.go", "package stock\n\nfunc f() {\n\tgo f()\n}\n"), []string{"stock/a.go:4: goroutine"}},
		{"pure-core", "times that are given, tests, other packages", map[string]string{
			"stock/a.go":        "package stock\n\nimport \"time\"\n\nvar t = time.UnixMilli(0)\n",
			"stock/a_test.go":   "package stock\n\nimport \"time\"\n\nvar u = time.Now()\n",
			"storage/a.go":      "package storage\n\nimport \"time\"\n\nvar u = time.Now()\n",
			"stock/oracle/a.go": "package oracle\n\nfunc f() {\n\tgo f()\n}\n",
		}, nil},

		{"sleep", "in a test",
			one("node/a_test.go", "package node\n\nimport \"time\"\n\nfunc f() { time.Sleep(time.Second) }\n"), []string{"node/a_test.go:5: sleeps"}},
		{"sleep", "elsewhere, or of another", map[string]string{
			"node/a.go":      "package node\n\nimport \"time\"\n\nfunc f() { time.Sleep(time.Second) }\n",
			"node/a_test.go": "package node\n\nfunc f() { cat.Sleep() }\n",
		}, nil},

		{"atomics", "untyped",
			one("wal/a.go", "package wal\n\nimport \"sync/atomic\"\n\nvar n int64\n\nfunc f() { atomic.AddInt64(&n, 1); atomic.StorePointer(nil, nil) }\n"),
			[]string{"wal/a.go:7: AddInt64", "wal/a.go:7: StorePointer"}},
		{"atomics", "typed", one("wal/a.go", "package wal\n\nimport \"sync/atomic\"\n\nvar n atomic.Int64\n\nvar p atomic.Pointer[int]\n"), nil},

		{"text", "marks and paths", map[string]string{
			"wal/a.go": "package wal\n\n// TO" + "DO: more\n", "docs/a.md": "See /wo" + "rk/main.\nIn /ho" + "me/someone/x.\n",
			"Makefile": "# FIX" + "ME\n",
		}, []string{"Makefile:1: FIX", "docs/a.md:1: machine", "docs/a.md:2: machine", "wal/a.go:3: TO"}},
		{"text", "innocent", one("docs/a.md", "All this work/rest, the /v1/orders route, hackers.\n"), nil},
	}
}

func pageSamples() []sample {
	code := map[string]string{
		"stock/ledger.go": "package stock\n", "docs/other.md": "",
		"stock/ledger_test.go": "package stock\n\nfunc TestSellsExactlyN() {}\n",
	}
	page := func(text string) map[string]string {
		files := maps.Clone(code)
		files["docs/a.md"] = text
		return files
	}
	return []sample{
		{"promises", "one without a test, one twice, one missing", promises(func(page string) string {
			page = strings.Replace(page, "TestP3", "no test", 1)
			page = strings.Replace(page, "## 5. P", "## 4. P", 1)
			return page + "\n## Not a promise\n\n`TestNone`\n"
		}), []string{"docs/guarantees.md:0: promise 3 names no test", "docs/guarantees.md:0: promise 4 has 2", "docs/guarantees.md:0: promise 5 has 0"}},
		{"promises", "ten", promises(func(page string) string { return page }), nil},

		{"links", "nowhere", page("[a](missing.md) and [b](../absent)\n\n[c](/docs/other.md)\n"),
			[]string{"docs/a.md:1: missing.md", "docs/a.md:1: ../absent", "docs/a.md:3: /docs/other.md"}},
		{"links", "outside", page("https://example.com/x\n"), []string{"docs/a.md:1: outside"}},
		{"links", "inside", page("[a](other.md#part) [b](../stock/ledger.go) [c](#here) http://127.0.0.1:8080/v1/orders\n"), nil},

		{"cited", "missing", page("The ledger is in `stock/book.go`, see `gone.md` and `./cmd/absent`.\n"),
			[]string{"docs/a.md:1: stock/book.go", "docs/a.md:1: gone.md", "docs/a.md:1: ./cmd/absent"}},
		{"cited", "missing, in a comment", one("stock/a.go", "package stock\n\n// See gone.md and other.go.\nvar x = 1\n"),
			[]string{"stock/a.go:3: gone.md"}},
		{"cited", "there", page("`stock/ledger.go`, `ledger.go`, other.md, `stock/*.go`, `./...`, `./stock/...`, 2.5 and so on...\n"), nil},

		{"cited-tests", "missing", page("Held by `TestNever`.\n"), []string{"docs/a.md:1: TestNever"}},
		{"cited-tests", "there", page("Held by `TestSellsExactlyN`. Tests are Testing.\n"), nil},
	}
}

// promises returns a page of ten promises, each with a test, changed.
func promises(change func(string) string) map[string]string {
	page := "# Guarantees\n"
	for n := 1; n <= promiseCount; n++ {
		page += fmt.Sprintf("\n## %d. P\n\nTests: `TestP%d`\n", n, n)
	}
	return one(promisePage, change(page))
}

// way returns a page that lists the twelve steps, and code that has them.
func way() map[string]string {
	paths := []string{"api/orders.go", "actors/gateway.go", "cluster/route.go", "actors/directory.go", "actors/sku.go", "actors/proposer.go",
		"cluster/shard.go", "wal/", "cluster/fsm.go", "stock/ledger.go", "actors/pending.go", "storage/"}
	files := map[string]string{}
	page := "# Architecture\n\n 1 not here api/none.go\n\n## The way of an order\n\n```\n"
	for i, p := range paths {
		page += fmt.Sprintf("%2d  POST /v1/orders  %s  what\n", i+1, p)
		if strings.HasSuffix(p, "/") {
			p += "any.go"
		}
		files[p] = fmt.Sprintf("// Step %d of an order: what.\n\npackage p\n", i+1)
	}
	files[wayPage] = page + "```\n\n## Next\n\n 3 more\n"
	return files
}

func stepSamples() []sample {
	with := func(change func(map[string]string)) map[string]string {
		files := way()
		change(files)
		return files
	}
	return []sample{
		{"steps", "none in the code",
			with(func(m map[string]string) { delete(m, "stock/ledger.go") }), []string{"stock:0: step 10 of an order stands in 0"}},
		{"steps", "two in the code", with(func(m map[string]string) { m["stock/b.go"] = "package p\n\n// Step 10 of an order: again.\n" }),
			[]string{"stock:0: in 2 comments", "stock/b.go:3: names stock/ledger.go"}},
		{"steps", "in another file than the page names", with(func(m map[string]string) {
			m["actors/hot.go"] = m["actors/sku.go"]
			delete(m, "actors/sku.go")
		}), []string{"actors/hot.go:1: names actors/sku.go"}},
		{"steps", "in another package", with(func(m map[string]string) {
			m[wayPage] = strings.Replace(m[wayPage], "stock/ledger.go", "actors/ledger.go", 1)
			m["actors/ledger.go"] = m["stock/ledger.go"]
			delete(m, "stock/ledger.go")
		}), []string{"docs/architecture.md:17: not in stock"}},
		{"steps", "twice on the page", with(func(m map[string]string) {
			m[wayPage] = strings.Replace(m[wayPage], "```\n\n## Next", "1 api/orders.go\n\n## Next", 1)
		}), []string{"docs/architecture.md:0: step 1 is listed 2 times"}},
		{"steps", "a thirteenth", with(func(m map[string]string) { m["api/x.go"] = "package p\n\n// Step 13 of an order: rest.\n" }),
			[]string{"api/x.go:3: no step 13"}},
		{"steps", "moved together with the page", with(func(m map[string]string) {
			m[wayPage] = strings.Replace(m[wayPage], "actors/sku.go", "actors/hot.go", 1)
			m["actors/hot.go"] = m["actors/sku.go"]
			delete(m, "actors/sku.go")
		}), nil},
	}
}
