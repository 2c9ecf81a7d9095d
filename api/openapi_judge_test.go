package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// judge holds answers against a document. Its copy of the document is closed: an answer's object may have no member that is not described, although
// callers are told to expect more one day.
type judge struct {
	mu       sync.Mutex // guards compiler, which compiles what it is asked for
	doc      map[string]any
	compiler *jsonschema.Compiler
}

const judged = "contract.json"

func newJudge(t testing.TB, text []byte) *judge {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	j := &judge{compiler: jsonschema.NewCompiler()}
	j.compiler.AssertFormat()
	closeAll(j.compiler, doc)
	j.doc = doc.(map[string]any)
	if err := j.compiler.AddResource(judged, doc); err != nil {
		t.Fatal(err)
	}
	return j
}

// closeAll closes the objects, and makes x-max-bytes a format that is looked at.
func closeAll(c *jsonschema.Compiler, v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			closeAll(c, item)
		}
	case map[string]any:
		if _, ok := v["properties"].(map[string]any); ok && v["type"] == "object" {
			v["additionalProperties"] = false
		}
		if n, ok := v["x-max-bytes"].(json.Number); ok {
			most, _ := n.Int64()
			name := "at-most-" + n.String()
			v["format"] = name
			c.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(v any) error {
				if s, ok := v.(string); ok && (int64(len(s)) > most || !utf8.ValidString(s)) {
					return fmt.Errorf("%d bytes, at most %d", len(s), most)
				}
				return nil
			}})
		}
		for _, item := range v {
			closeAll(c, item)
		}
	}
}

// at follows references and names to a part of the document, and returns it with the place where it stands.
func (j *judge) at(place string, names ...string) (map[string]any, string) {
	part := lookUp(j.doc, place)
	for _, name := range names {
		if part, _ = part[name].(map[string]any); part == nil {
			return nil, ""
		}
		place += "/" + escaped(name)
		if ref, ok := part["$ref"].(string); ok {
			place = ref
			part = lookUp(j.doc, ref)
		}
	}
	return part, place
}

func escaped(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

func lookUp(doc map[string]any, place string) map[string]any {
	part := doc
	for name := range strings.SplitSeq(strings.TrimPrefix(place, "#"), "/") {
		if name == "" {
			continue
		}
		if part, _ = part[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)].(map[string]any); part == nil {
			return nil
		}
	}
	return part
}

// valid validates a value against the schema at a place.
func (j *judge) valid(place string, value any) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	// Between "#" and the rest of a URL's fragment, braces and others want to be encoded.
	schema, err := j.compiler.Compile(judged + "#" + (&url.URL{Path: strings.TrimPrefix(place, "#")}).EscapedPath())
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// validJSON validates a JSON text.
func (j *judge) validJSON(place, text string) error {
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	return j.valid(place, value)
}

// wrong says what is wrong with an answer to a call; "" for the call is one that no route answers.
func (j *judge) wrong(call string, head bool, a answer) (found []string) {
	method, path, _ := strings.Cut(call, " ")
	response, place := j.at("#/components/responses", unroutedName)
	if call != "" {
		response, place = j.at("#/paths", path, strings.ToLower(method), "responses", strconv.Itoa(a.status))
	}
	if response == nil {
		return []string{fmt.Sprintf("%s: status %d is not documented: %s", call, a.status, a.body)}
	}
	found = j.wrongHeaders(place, a)
	media, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	content, _ := response["content"].(map[string]any)
	described, ok := content[media].(map[string]any)
	if !ok {
		described, ok = content["*/*"].(map[string]any)
	}
	switch schema := described["schema"]; {
	case content == nil && a.body != "", content != nil && !ok:
		found = append(found, fmt.Sprintf("content %q is not documented", media))
	case schema != nil && !head:
		if err := j.validJSON(place+"/content/"+escaped(media)+"/schema", a.body); err != nil {
			found = append(found, err.Error())
		}
	}
	for i := range found {
		found[i] = fmt.Sprintf("%s %d: %s\nin %.2000s", call, a.status, found[i], a.body)
	}
	return found
}

func (j *judge) wrongHeaders(place string, a answer) (found []string) {
	for name := range headerTexts {
		values := a.header.Values(name)
		header, at := j.at(place, "headers", name)
		switch {
		case header == nil && len(values) > 0:
			found = append(found, "header "+name+" is not documented")
		case header == nil:
		case len(values) == 0 && header["required"] == true, len(values) > 1:
			found = append(found, fmt.Sprintf("header %s stands there %d times", name, len(values)))
		case len(values) == 1:
			if err := j.valid(at+"/schema", typed(values[0], header["schema"].(map[string]any)["type"])); err != nil {
				found = append(found, "header "+name+": "+err.Error())
			}
		}
	}
	if a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") == "" {
		found = append(found, "503 without Retry-After")
	}
	return found
}

// typed reads a header's value as what its schema says it is.
func typed(value string, as any) any {
	switch as {
	case "integer":
		return json.Number(value)
	case "boolean":
		if b, err := strconv.ParseBool(value); err == nil {
			return b
		}
	}
	return value
}

// judges are kept by the tag of their document: there are few documents and many servers.
var judges sync.Map

func judgeOf(t testing.TB, rt *router) *judge {
	t.Helper()
	if j, ok := judges.Load(rt.contract.etag); ok {
		return j.(*judge)
	}
	j, _ := judges.LoadOrStore(rt.contract.etag, newJudge(t, rt.contract.json))
	return j.(*judge)
}

// hold fails the test when an answer is not what the document of its listener says. Every answer of every test comes through here.
func hold(t testing.TB, rt *router, r *http.Request, a answer) {
	t.Helper()
	call := ""
	if route, _ := rt.find(r, new([2]string)); route != nil {
		if call = route.name(); calls[call].page {
			return
		}
	}
	for _, found := range judgeOf(t, rt).wrong(call, r.Method == http.MethodHead, a) {
		t.Errorf("the contract does not allow this answer: %s", found)
	}
}

// witness holds what a serving shop answers to.
type witness struct {
	t  testing.TB
	rt *router
}

func (w witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	seen := &seenWriter{ResponseWriter: rw}
	w.rt.ServeHTTP(seen, r)
	hold(w.t, w.rt, r, answer{seen.status, rw.Header().Clone(), seen.body.String()})
}

type seenWriter struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (w *seenWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *seenWriter) Write(b []byte) (int, error) {
	w.body.Write(b)
	return w.ResponseWriter.Write(b)
}

func (w *seenWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// The judge finds what is wrong: an answer that is right becomes one that is not.
func TestJudgeFindsWrongAnswers(t *testing.T) {
	s := newShop(t)
	s.sku("shoe", `{"stock":2}`)
	j := judgeOf(t, s.server.public)
	right := s.public(placing, `{"sku":"shoe","user":"ann"}`, "Idempotency-Key: k")
	refused := s.public(placing, `{"sku":"cup","user":"ann"}`, "Idempotency-Key: k")
	for name, row := range map[string]struct {
		call   string
		from   answer
		change func(a *answer)
		want   string
	}{
		"a member more":      {placing, right, func(a *answer) { a.body = strings.Replace(a.body, `{`, `{"price":1,`, 1) }, "additional"},
		"a member less":      {placing, right, func(a *answer) { a.body = strings.Replace(a.body, `"user":"ann",`, "", 1) }, "missing"},
		"a wrong type":       {placing, right, func(a *answer) { a.body = strings.Replace(a.body, `"qty":1`, `"qty":"1"`, 1) }, "qty"},
		"an unknown state":   {placing, right, func(a *answer) { a.body = strings.Replace(a.body, `"held"`, `"lost"`, 1) }, "state"},
		"a time of its own":  {placing, right, func(a *answer) { a.body = strings.Replace(a.body, `.000Z`, `Z`, 1) }, "at"},
		"no JSON":            {placing, right, func(a *answer) { a.body = "{" }, "EOF"},
		"another status":     {placing, right, func(a *answer) { a.status = 202 }, "202 is not documented"},
		"another content":    {placing, right, func(a *answer) { a.header.Set("Content-Type", "text/html") }, "content"},
		"no Location":        {placing, right, func(a *answer) { a.header.Del("Location") }, "Location"},
		"a wrong Location":   {placing, right, func(a *answer) { a.header.Set("Location", "http://x/") }, "Location"},
		"two request ids":    {placing, right, func(a *answer) { a.header.Add("X-Request-Id", "x") }, "X-Request-Id"},
		"a header too many":  {placing, right, func(a *answer) { a.header.Set("Retry-After", "1") }, "Retry-After"},
		"another call":       {batching, right, func(*answer) {}, "not documented"},
		"a code of no row":   {placing, refused, func(a *answer) { a.body = strings.ReplaceAll(a.body, "sku_not_found", "user_not_found") }, ""},
		"another call's":     {placing, refused, func(a *answer) { a.body = strings.ReplaceAll(a.body, "sku_not_found", "order_not_found") }, ""},
		"a problem's member": {placing, refused, func(a *answer) { a.body = strings.Replace(a.body, `{`, `{"limit":1,`, 1) }, ""},
		"no route":           {"", refused, func(a *answer) {}, ""},
	} {
		a := answer{row.from.status, row.from.header.Clone(), row.from.body}
		row.change(&a)
		if found := j.wrong(row.call, false, a); len(found) == 0 || !strings.Contains(strings.Join(found, " "), row.want) {
			t.Errorf("%s: found %q", name, found)
		}
	}
	if found := slices.Concat(j.wrong(placing, false, right), j.wrong(placing, false, refused)); len(found) > 0 {
		t.Errorf("right answers: %q", found)
	}
}
