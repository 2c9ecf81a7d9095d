package openapi

import "encoding/json"

// Schema describes a value in JSON Schema 2020-12.
type Schema struct {
	Ref         string `json:"$ref,omitempty"`
	Description string `json:"description,omitempty"`
	// Type is a name, or a []string of several.
	Type    any    `json:"type,omitempty"`
	Format  string `json:"format,omitempty"`
	Const   any    `json:"const,omitempty"`
	Enum    []any  `json:"enum,omitempty"`
	Default any    `json:"default,omitempty"`

	Minimum   *int64 `json:"minimum,omitempty"`
	Maximum   *int64 `json:"maximum,omitempty"`
	MinLength *int64 `json:"minLength,omitempty"`
	MaxLength *int64 `json:"maxLength,omitempty"`
	// MaxBytes bounds a text as Holdfast counts it, in bytes of UTF-8, which JSON Schema cannot say; MaxLength is then only what follows from it.
	MaxBytes int64  `json:"x-max-bytes,omitempty"`
	Pattern  string `json:"pattern,omitempty"`

	Items    *Schema `json:"items,omitempty"`
	MinItems *int64  `json:"minItems,omitempty"`
	MaxItems *int64  `json:"maxItems,omitempty"`

	Properties           map[string]*Schema `json:"properties,omitempty"`
	Required             []string           `json:"required,omitempty"`
	AdditionalProperties *bool              `json:"additionalProperties,omitempty"`

	Not           *Schema        `json:"not,omitempty"`
	OneOf         []*Schema      `json:"oneOf,omitempty"`
	Discriminator *Discriminator `json:"discriminator,omitempty"`

	Examples []json.RawMessage `json:"examples,omitempty"`
}

// Discriminator names the property that tells the schemas of a oneOf apart.
type Discriminator struct {
	PropertyName string            `json:"propertyName"`
	Mapping      map[string]string `json:"mapping,omitempty"`
}

// RefTo returns the reference to a schema among the components.
func RefTo(name string) *Schema { return &Schema{Ref: "#/components/schemas/" + name} }
