package monitoring

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// AllowedLabels are the labels that a metric of ours may have. No SKU, user, order or key is among them: their number has no bound.
var AllowedLabels = []string{
	"bound", "code", "commit", "event", "from", "goversion", "lane", "listener", "outcome", "reason", "result", "route", "shard", "sink", "status",
	"version", "what",
}

// scraped are the labels that Prometheus adds.
var scraped = []string{"instance", "job"}

var (
	variable  = regexp.MustCompile(`\$__\w+`)
	grouping  = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	selector  = regexp.MustCompile(`([a-zA-Z_:][\w:]*)\s*\{([^}]*)\}`)
	matcher   = regexp.MustCompile(`^(\w+)\s*(?:=~|!~|!=|=)\s*"(?:[^"\\]|\\.)*"$`)
	text      = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	span      = regexp.MustCompile(`\[[^\]]*\]`)
	literal   = regexp.MustCompile(`\b\d[\w.]*`)
	name      = regexp.MustCompile(`[a-zA-Z_:][\w:]*\s*\(?`)
	operators = []string{"and", "or", "unless", "offset", "bool", "inf", "nan", "by", "without", "on", "ignoring", "group_left", "group_right"}
)

// Check returns what is wrong with the names in an expression: metrics that are not in the table, labels that a metric does not have.
func (c Catalogue) Check(expr string) (wrong []string) {
	expr = variable.ReplaceAllString(expr, "5m")
	for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
		for label := range strings.SplitSeq(g[1], ",") {
			if label = strings.TrimSpace(label); label != "" && label != "le" && !slices.Contains(slices.Concat(AllowedLabels, scraped), label) {
				wrong = append(wrong, fmt.Sprintf("no metric has a label %s", label))
			}
		}
	}
	expr = grouping.ReplaceAllString(expr, "")
	for _, s := range selector.FindAllStringSubmatch(expr, -1) {
		wrong = append(wrong, c.checkMatchers(s[1], s[2])...)
	}
	expr = selector.ReplaceAllString(expr, "$1 ")
	for _, noise := range []*regexp.Regexp{text, span, literal} {
		expr = noise.ReplaceAllString(expr, " ")
	}
	for _, n := range name.FindAllString(expr, -1) {
		n = strings.TrimSpace(n)
		if strings.HasSuffix(n, "(") || slices.Contains(operators, strings.ToLower(n)) {
			continue
		}
		if _, _, ok := c.Find(n); !ok {
			wrong = append(wrong, fmt.Sprintf("no metric %s in the table", n))
		}
	}
	return wrong
}

func (c Catalogue) checkMatchers(series, matchers string) (wrong []string) {
	m, part, ok := c.Find(series)
	if !ok {
		return nil // said by its name
	}
	has := slices.Concat(m.Labels, scraped)
	if part == "_bucket" {
		has = append(has, "le")
	}
	if m.Type == "summary" {
		has = append(has, "quantile")
	}
	for one := range strings.SplitSeq(matchers, ",") {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		found := matcher.FindStringSubmatch(one)
		switch {
		case found == nil:
			wrong = append(wrong, fmt.Sprintf("%s: %s is no matcher (a comma in a value is not understood)", series, one))
		case !slices.Contains(has, found[1]):
			wrong = append(wrong, fmt.Sprintf("%s has no label %s", series, found[1]))
		}
	}
	return wrong
}
