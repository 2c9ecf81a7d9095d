package lint

import (
	"fmt"
	"go/ast"
	"path"
	"strings"
	"unicode"
)

// bannedWords say nothing about what a thing is.
var bannedWords = map[string]bool{
	"manager": true, "helper": true, "util": true, "common": true, "impl": true, "info": true, "data": true, "processor": true,
	"managers": true, "helpers": true, "utils": true, "processors": true,
}

// checkNames looks for banned words in the names of types, files and packages, and for interfaces called IThing.
func checkNames(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.files {
		for _, part := range strings.Split(f.path, "/") {
			if word := bannedWord(strings.TrimSuffix(part, ".go")); word != "" {
				found = append(found, Finding{Path: f.path, Text: fmt.Sprintf("%q in the name of a file or package", word)})
			}
		}
		if word := bannedWord(f.ast.Name.Name); word != "" && !bannedPath(f.path) {
			found = append(found, Finding{Path: f.path, Text: fmt.Sprintf("%q in the name of the package", word)})
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			name := spec.Name.Name
			if word := bannedWord(name); word != "" {
				text := fmt.Sprintf("%q in the name of type %s", word, name)
				found = append(found, Finding{Path: f.path, Line: f.line(spec), Text: text})
			}
			if _, ok := spec.Type.(*ast.InterfaceType); ok && hasIPrefix(name) {
				text := "interface " + name + " is named after its kind; name what it does"
				found = append(found, Finding{Path: f.path, Line: f.line(spec), Text: text})
			}
			return true
		})
	}
	return found
}

func bannedPath(p string) bool {
	return bannedWord(path.Base(path.Dir(p))) != ""
}

func hasIPrefix(name string) bool {
	return len(name) > 2 && name[0] == 'I' && unicode.IsUpper(rune(name[1])) && unicode.IsLower(rune(name[2]))
}

// bannedWord returns the first banned word of a name in camelCase, snake_case or kebab-case, or "".
func bannedWord(name string) string {
	for _, word := range splitWords(name) {
		if bannedWords[word] {
			return word
		}
	}
	return ""
}

// splitWords returns the words of a name in lower case; an acronym counts as one word.
func splitWords(name string) []string {
	var words []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			words = append(words, strings.ToLower(string(word)))
			word = word[:0]
		}
	}
	runes := []rune(name)
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			flush()
			continue
		case unicode.IsUpper(r) && i > 0 && (!unicode.IsUpper(runes[i-1]) || (i+1 < len(runes) && unicode.IsLower(runes[i+1]))):
			flush()
		}
		word = append(word, r)
	}
	flush()
	return words
}
