package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// unsound says what is wrong with a document as OpenAPI 3.1, whatever it describes: the rules of the specification that a schema for it cannot state,
// or that are easily broken here.
func unsound(text []byte) (found []string) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return []string{err.Error()}
	}
	doc, ok := value.(map[string]any)
	if !ok {
		return []string{"not an object"}
	}
	c := &checker{doc: doc, ids: map[string]string{}}
	c.root()
	c.paths()
	c.references("#", doc)
	if c.used(); len(c.found) == 0 {
		c.schemas()
	}
	return c.found
}

type checker struct {
	doc   map[string]any
	ids   map[string]string
	found []string
	known []string
}

func (c *checker) say(place, format string, args ...any) {
	c.found = append(c.found, place+": "+fmt.Sprintf(format, args...))
}

// only wants an object to have some members, and no others than some more.
func (c *checker) only(place string, object map[string]any, needed, allowed string) {
	for _, name := range strings.Fields(needed) {
		if _, ok := object[name]; !ok {
			c.say(place, "%s is missing", name)
		}
	}
	all := strings.Fields(needed + " " + allowed)
	for name := range object {
		if !slices.Contains(all, name) && !strings.HasPrefix(name, "x-") {
			c.say(place, "%s has no place here", name)
		}
	}
}

func (c *checker) root() {
	c.only("#", c.doc, "openapi info paths", "jsonSchemaDialect servers components security tags externalDocs webhooks")
	if v, _ := c.doc["openapi"].(string); !regexp.MustCompile(`^3\.1\.\d+$`).MatchString(v) {
		c.say("#", "openapi is %q", v)
	}
	info, _ := c.doc["info"].(map[string]any)
	c.only("#/info", info, "title version", "summary description termsOfService contact license")
	if license, ok := info["license"].(map[string]any); ok && license["identifier"] != nil && license["url"] != nil {
		c.say("#/info/license", "identifier and url exclude each other")
	}
	c.servers("#", c.doc)
	c.security("#", c.doc)
	components, _ := c.doc["components"].(map[string]any)
	for _, kind := range slices.Sorted(maps.Keys(components)) {
		for name := range components[kind].(map[string]any) {
			if !regexp.MustCompile(`^[a-zA-Z0-9._-]+$`).MatchString(name) {
				c.say("#/components/"+kind, "%q is no name", name)
			}
		}
	}
	schemes, _ := components["securitySchemes"].(map[string]any)
	for name, scheme := range schemes {
		c.only("#/components/securitySchemes/"+name, scheme.(map[string]any), "type", "description scheme bearerFormat name in")
	}
}

func (c *checker) servers(place string, object map[string]any) {
	list, _ := object["servers"].([]any)
	for _, item := range list {
		server := item.(map[string]any)
		c.only(place+"/servers", server, "url", "description variables")
		variables, _ := server["variables"].(map[string]any)
		for _, found := range regexp.MustCompile(`\{(.*?)\}`).FindAllStringSubmatch(fmt.Sprint(server["url"]), -1) {
			variable, ok := variables[found[1]].(map[string]any)
			if !ok || variable["default"] == nil {
				c.say(place+"/servers", "variable %s has no default", found[1])
			} else if enum, ok := variable["enum"].([]any); ok && !slices.Contains(enum, variable["default"]) {
				c.say(place+"/servers", "the default of %s is not in its enum", found[1])
			}
		}
	}
}

func (c *checker) security(place string, object map[string]any) {
	list, _ := object["security"].([]any)
	for _, item := range list {
		for name := range item.(map[string]any) {
			if lookUp(c.doc, "#/components/securitySchemes/"+name) == nil {
				c.say(place+"/security", "%s is no security scheme", name)
			}
		}
	}
}

func (c *checker) paths() {
	templates := map[string]string{}
	paths, _ := c.doc["paths"].(map[string]any)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		place := "#/paths/" + escaped(path)
		if !strings.HasPrefix(path, "/") {
			c.say(place, "does not begin with /")
		}
		alike := regexp.MustCompile(`\{.*?\}`).ReplaceAllString(path, "{}")
		if other := templates[alike]; other != "" {
			c.say(place, "is the same path as %s", other)
		}
		templates[alike] = path
		item := paths[path].(map[string]any)
		c.only(place, item, "", "summary description servers parameters get put post delete options head patch trace")
		c.servers(place, item)
		for _, method := range []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"} {
			if op, ok := item[method].(map[string]any); ok {
				c.operation(place+"/"+method, path, item, op)
			}
		}
	}
}

func (c *checker) operation(place, path string, item, op map[string]any) {
	c.only(place, op, "operationId responses", "tags summary description parameters requestBody security deprecated servers externalDocs")
	id, _ := op["operationId"].(string)
	if other := c.ids[id]; other != "" {
		c.say(place, "operationId %q is also that of %s", id, other)
	}
	c.ids[id] = place
	tags, _ := c.doc["tags"].([]any)
	used, _ := op["tags"].([]any)
	for _, tag := range used {
		if !slices.ContainsFunc(tags, func(t any) bool { return t.(map[string]any)["name"] == tag }) {
			c.say(place, "tag %v is not declared", tag)
		}
	}
	c.security(place, op)
	c.parameters(place, path, item, op)
	if body, ok := op["requestBody"].(map[string]any); ok {
		c.only(place+"/requestBody", body, "content", "description required")
		c.content(place+"/requestBody", body)
	}
	responses, _ := op["responses"].(map[string]any)
	success := false
	for status := range responses {
		success = success || status[0] == '2'
		if n, err := strconv.Atoi(status); status != "default" && (err != nil || n < 100 || n > 599) {
			c.say(place+"/responses", "%q is no status", status)
		}
		response := c.resolved(responses[status])
		at := place + "/responses/" + status
		c.only(at, response, "description", "headers content links")
		c.content(at, response)
		headers, _ := response["headers"].(map[string]any)
		for name, header := range headers {
			c.only(at+"/headers/"+name, c.resolved(header), "schema", "description required deprecated style explode example examples")
			if strings.EqualFold(name, "Content-Type") {
				c.say(at, "a header Content-Type is ignored")
			}
		}
	}
	if !success {
		c.say(place, "no success is documented")
	}
}

func (c *checker) parameters(place, path string, item, op map[string]any) {
	shared, _ := item["parameters"].([]any)
	own, _ := op["parameters"].([]any)
	seen := map[string]bool{}
	for _, p := range slices.Concat(shared, own) {
		parameter := c.resolved(p)
		c.only(place+"/parameters", parameter, "name in schema", "description required deprecated allowEmptyValue style explode example examples")
		name := fmt.Sprint(parameter["in"], " ", parameter["name"])
		if seen[name] {
			c.say(place, "parameter %s stands twice", name)
		}
		seen[name] = true
		inPath := strings.Contains(path, fmt.Sprintf("{%s}", parameter["name"]))
		switch parameter["in"] {
		case "path":
			if !inPath || parameter["required"] != true {
				c.say(place, "parameter %s: not in the path, or not required", name)
			}
		case "header":
			if slices.Contains([]string{"accept", "content-type", "authorization"}, strings.ToLower(fmt.Sprint(parameter["name"]))) {
				c.say(place, "parameter %s is ignored", name)
			}
		case "query", "cookie":
		default:
			c.say(place, "parameter %s is nowhere", name)
		}
	}
	for _, found := range regexp.MustCompile(`\{(.*?)\}`).FindAllStringSubmatch(path, -1) {
		if !seen["path "+found[1]] {
			c.say(place, "parameter %s is not declared", found[1])
		}
	}
}

// content holds the examples of bodies against their schemas.
func (c *checker) content(place string, object map[string]any) {
	content, _ := object["content"].(map[string]any)
	for media, described := range content {
		at := place + "/content/" + media
		c.only(at, described.(map[string]any), "", "schema example examples encoding")
		if !regexp.MustCompile(`^[\w*.+-]+/[\w*.+-]+$`).MatchString(media) {
			c.say(at, "no media type")
		}
	}
}

func (c *checker) resolved(v any) map[string]any {
	object, _ := v.(map[string]any)
	if ref, ok := object["$ref"].(string); ok {
		return lookUp(c.doc, ref)
	}
	return object
}

// references wants every reference to stay in the document and to lead somewhere, and every example to be of its schema.
func (c *checker) references(place string, v any) {
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			c.references(place+"/"+strconv.Itoa(i), item)
		}
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			if !strings.HasPrefix(ref, "#/") || lookUp(c.doc, ref) == nil {
				c.say(place, "%s leads nowhere", ref)
			}
			c.known = append(c.known, ref)
		}
		if d, ok := v["discriminator"].(map[string]any); ok {
			c.discriminator(place, v, d)
		}
		for name, item := range v {
			if !slices.Contains([]string{"example", "examples", "const", "enum"}, name) && (name != "default" || strings.HasSuffix(place, "/responses")) {
				c.references(place+"/"+escaped(name), item)
			}
		}
	}
}

// discriminator wants each of the schemas to have the property that tells them apart, as the constant that leads to it.
func (c *checker) discriminator(place string, schema, d map[string]any) {
	mapping, _ := d["mapping"].(map[string]any)
	choices, _ := schema["oneOf"].([]any)
	if len(mapping) != len(choices) {
		c.say(place, "%d of %d schemas are mapped", len(mapping), len(choices))
	}
	for value, ref := range mapping {
		property := lookUp(c.doc, fmt.Sprint(ref)+"/properties/"+fmt.Sprint(d["propertyName"]))
		if property == nil || property["const"] != value {
			c.say(place, "%s is not what %v has", value, ref)
		}
	}
}

// used wants every component to be used.
func (c *checker) used() {
	components, _ := c.doc["components"].(map[string]any)
	for kind, all := range components {
		for name := range all.(map[string]any) {
			if kind != "securitySchemes" && !slices.Contains(c.known, "#/components/"+kind+"/"+name) {
				c.say("#/components/"+kind, "%s is not used", name)
			}
		}
	}
}

// schemas wants every schema to be JSON Schema, and its examples to be of it.
func (c *checker) schemas() {
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource(judged, c.doc); err != nil {
		c.say("#", "%v", err)
		return
	}
	for _, place := range places("#", c.doc) {
		schema, err := compiler.Compile(judged + "#" + strings.ReplaceAll(strings.ReplaceAll(strings.TrimPrefix(place, "#"), "{", "%7B"), "}", "%7D"))
		if err != nil {
			c.say(place, "%v", err)
			continue
		}
		part := lookUp(c.doc, place)
		examples, _ := part["examples"].([]any)
		if value, ok := part["default"]; ok {
			examples = append(slices.Clone(examples), value)
		}
		if holder := lookUp(c.doc, strings.TrimSuffix(place, "/schema")); holder != nil && strings.HasSuffix(place, "/schema") && holder["example"] != nil {
			examples = append(slices.Clone(examples), holder["example"])
		}
		for _, value := range examples {
			if err := schema.Validate(value); err != nil {
				c.say(place, "an example: %v", err)
			}
		}
	}
}

// places lists where schemas stand: below a name that says so.
func places(place string, v any) (found []string) {
	object, _ := v.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(object)) {
		at := place + "/" + escaped(name)
		switch {
		case name == "example" || name == "examples":
		case name == "schema", name == "items", strings.HasSuffix(place, "/properties"), place == "#/components/schemas":
			found = append(append(found, at), places(at, object[name])...)
		default:
			found = append(found, places(at, object[name])...)
		}
	}
	return found
}

// Both documents are sound, and every kind of fault that could be in one is found in a copy that has it.
func TestDocumentsAreSound(t *testing.T) {
	s := newShop(t)
	for name, rt := range map[string]*router{publicName: s.server.public, adminName: s.server.admin} {
		for _, found := range unsound(rt.contract.json) {
			t.Errorf("%s: %s", name, found)
		}
	}
	type object = map[string]any
	const place = "#/paths/~1v1~1orders/post"
	const byID = "#/paths/~1v1~1orders~1{id}"
	for name, row := range map[string]struct {
		at, want string
		change   func(part object)
	}{
		"version":         {"#", "openapi is", func(p object) { p["openapi"] = "3.0.3" }},
		"no title":        {"#/info", "title is missing", func(p object) { delete(p, "title") }},
		"two licences":    {"#/info/license", "exclude", func(p object) { p["url"] = "x" }},
		"unknown member":  {"#", "no place", func(p object) { p["swagger"] = "2.0" }},
		"server variable": {"#/paths/~1v1~1orders", "no default", func(p object) { p["servers"] = []any{object{"url": "http://{host}"}} }},
		"server enum": {"#", "not in its enum", func(p object) {
			p["servers"] = []any{object{"url": "{s}", "variables": object{"s": object{"default": "a", "enum": []any{"b"}}}}}
		}},
		"security":            {place, "no security scheme", func(p object) { p["security"] = []any{object{"basic": []any{}}} }},
		"component name":      {"#/components/schemas", "is no name", func(p object) { p["a b"] = object{} }},
		"unused component":    {"#/components/schemas", "is not used", func(p object) { p["Price"] = object{} }},
		"two ids":             {place, "also that of", func(p object) { p["operationId"] = "getOrder" }},
		"no id":               {place, "operationId is missing", func(p object) { delete(p, "operationId") }},
		"unknown tag":         {place, "is not declared", func(p object) { p["tags"] = []any{"shoes"} }},
		"no description":      {place + "/responses/201", "description is missing", func(p object) { delete(p, "description") }},
		"no success":          {place + "/responses", "no success", func(p object) { delete(p, "201") }},
		"no status":           {place + "/responses", "is no status", func(p object) { p["20"] = p["201"] }},
		"ignored header":      {place + "/responses/201/headers", "is ignored", func(p object) { p["Content-Type"] = p["Location"] }},
		"media type":          {place + "/responses/201/content", "no media type", func(p object) { p["json"] = p["application/json"] }},
		"wrong reference":     {place + "/responses/201/content/application~1json/schema", "leads nowhere", func(p object) { p["$ref"] = "#/components/schemas/Price" }},
		"outer reference":     {place + "/responses/201/content/application~1json/schema", "leads nowhere", func(p object) { p["$ref"] = "http://x.example/Order" }},
		"path parameter":      {byID, "is not declared", func(p object) { delete(p, "parameters") }},
		"optional in a path":  {"#/components/parameters/id", "not required", func(p object) { delete(p, "required") }},
		"parameter nowhere":   {"#/components/parameters/traceparent", "is nowhere", func(p object) { p["in"] = "body" }},
		"parameter twice":     {place, "stands twice", func(p object) { p["parameters"] = []any{object{"$ref": "#/components/parameters/X-Request-Id"}} }},
		"ignored parameter":   {"#/components/parameters/traceparent", "is ignored", func(p object) { p["name"] = "Authorization" }},
		"parameter of no use": {"#/components/parameters/id", "not in the path", func(p object) { p["name"] = "order" }},
		"same path":           {"#/paths", "is the same path", func(p object) { p["/v1/orders/{order}"] = p["/v1/orders/{id}"] }},
		"relative path":       {"#/paths", "does not begin", func(p object) { p["v1"] = object{} }},
		"wrong example":       {place + "/responses/201/content/application~1json/example", "an example", func(p object) { p["qty"] = "1" }},
		"wrong default":       {"#/components/schemas/PlaceOrder/properties/qty", "an example", func(p object) { p["default"] = json.Number("0") }},
		"wrong schema":        {"#/components/schemas/Order/properties/qty", "qty", func(p object) { p["type"] = "number of units" }},
		"mapping":             {"#/components/schemas/Outcome/discriminator/mapping", "is not what", func(p object) { p["fenced"] = p["accepted"] }},
		"half a mapping":      {"#/components/schemas/Outcome/discriminator/mapping", "are mapped", func(p object) { delete(p, "fenced") }},
	} {
		t.Run(name, func(t *testing.T) {
			value, err := jsonschema.UnmarshalJSON(bytes.NewReader(s.server.public.contract.json))
			if err != nil {
				t.Fatal(err)
			}
			row.change(lookUp(value.(object), row.at))
			text, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			if found := strings.Join(unsound(text), "\n"); !strings.Contains(found, row.want) {
				t.Errorf("not found: %q in %s", row.want, found)
			}
		})
	}
}

// What the document says of the reference is true: each section that it names is there.
func TestDocumentNamesSections(t *testing.T) {
	page, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	s := newShop(t)
	named := regexp.MustCompile(`docs/api\.md, section \\"(.*?)\\"`).FindAllStringSubmatch(string(s.server.admin.contract.json), -1)
	for _, section := range named {
		if !regexp.MustCompile(`(?m)^#+ ` + regexp.QuoteMeta(section[1]) + `$`).Match(page) {
			t.Errorf("docs/api.md has no section %q", section[1])
		}
	}
	if len(named) < 60 {
		t.Errorf("only %d sections are named", len(named))
	}
}
