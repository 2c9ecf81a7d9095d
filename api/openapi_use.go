package api

import (
	"encoding/json"
	"strings"

	"holdfast/api/openapi"
)

// use is a document in the making.
type use struct {
	components *openapi.Components
	maxItems   int
}

// prune takes out the components that no call leads to: the public document does not speak of what only operators see.
func (u *use) prune(d *openapi.Document) {
	c, used := u.components, map[string]bool{}
	text := map[string]string{}
	written(text, "schemas/", c.Schemas)
	written(text, "parameters/", c.Parameters)
	written(text, "headers/", c.Headers)
	written(text, "responses/", c.Responses)
	written(text, "", map[string]any{"": d.Paths})
	reach(text, used, "")
	c.Schemas, c.Parameters = kept(c.Schemas, "schemas/", used), kept(c.Parameters, "parameters/", used)
	c.Headers, c.Responses = kept(c.Headers, "headers/", used), kept(c.Responses, "responses/", used)
}

// written adds the text of each component under its place. One that cannot be written is found when the document is (Encode).
func written[T any](text map[string]string, place string, components map[string]T) {
	for name, component := range components {
		b, err := json.Marshal(component)
		if err == nil {
			text[place+name] = string(b)
		}
	}
}

// reach marks what a component leads to.
func reach(text map[string]string, used map[string]bool, place string) {
	if used[place] {
		return
	}
	used[place] = true
	const reference = `"#/components/`
	_, rest, more := strings.Cut(text[place], reference)
	for more {
		var to string
		to, rest, _ = strings.Cut(rest, `"`)
		reach(text, used, to)
		_, rest, more = strings.Cut(rest, reference)
	}
}

func kept[T any](components map[string]T, place string, used map[string]bool) map[string]T {
	some := map[string]T{}
	for name, component := range components {
		if used[place+name] {
			some[name] = component
		}
	}
	return some
}
