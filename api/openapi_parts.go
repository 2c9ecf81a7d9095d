package api

import (
	"encoding/json"
	"strings"

	"holdfast/api/openapi"
)

// parts are all components, of which each document takes what its calls lead to, and their texts by place.
type parts struct {
	all  openapi.Components
	text map[string]string
}

func newParts(maxItems int) *parts {
	p := &parts{all: components(), text: map[string]string{}}
	bodies(p.all.Schemas, maxItems)
	written(p.text, "schemas/", p.all.Schemas)
	written(p.text, "parameters/", p.all.Parameters)
	written(p.text, "headers/", p.all.Headers)
	written(p.text, "responses/", p.all.Responses)
	return p
}

// usedBy returns the components that some calls lead to: the public document does not speak of what only operators see.
func (p *parts) usedBy(calls map[string]*openapi.PathItem) openapi.Components {
	const root = ""
	written(p.text, root, map[string]any{"": calls})
	used := map[string]bool{}
	reach(p.text, used, root)
	return openapi.Components{
		Schemas: kept(p.all.Schemas, "schemas/", used), Parameters: kept(p.all.Parameters, "parameters/", used),
		Headers: kept(p.all.Headers, "headers/", used), Responses: kept(p.all.Responses, "responses/", used), SecuritySchemes: p.all.SecuritySchemes,
	}
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
