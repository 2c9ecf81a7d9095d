package config

// Kind says which layer a value came from.
type Kind string

// The layers, the strongest last.
const (
	Default     Kind = "default"
	File        Kind = "file"
	Environment Kind = "environment"
	Flag        Kind = "flag"
)

// Origin is where a value came from.
type Origin struct {
	Kind Kind `json:"kind"`
	// Where is the file with the line, the variable or the flag; "" for a default.
	Where string `json:"where,omitempty"`
}

// String returns the origin for people: "file holdfast.yaml:3".
func (o Origin) String() string {
	if o.Where == "" {
		return string(o.Kind)
	}
	return string(o.Kind) + " " + o.Where
}

// Setting is the value of a flag as text, with its origin.
type Setting struct {
	Text   string
	Origin Origin
}
