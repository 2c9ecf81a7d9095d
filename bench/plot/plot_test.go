package plot_test

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"holdfast/bench/plot"
)

func TestNumber(t *testing.T) {
	for want, v := range map[string]float64{
		"0": 0, "0.123": 0.1234, "0.05": 0.05, "1": 1, "9.99": 9.994, "10": 9.996, "12.3": 12.34, "100": 99.96, "123": 123.4, "1234": 1234.4, "9999": 9999,
		"10 k": 10_000, "12.3 k": 12_345, "999 k": 999_400, "1 M": 999_600, "1.23 M": 1_234_000, "-1.5": -1.5, "-": math.NaN(), "2000": 2000, "0.00012": 0.00012,
	} {
		if got := plot.Number(v); got != want {
			t.Errorf("Number(%v) is %q, not %q", v, got, want)
		}
	}
}

// parsed returns the names and texts of an SVG, which must be well-formed XML.
func parsed(t *testing.T, svg string) (elements map[string]int, texts string) {
	t.Helper()
	elements = map[string]int{}
	var b strings.Builder
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return elements, b.String()
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		switch token := token.(type) {
		case xml.StartElement:
			elements[token.Name.Local]++
			for _, a := range token.Attr {
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("%s has %s=%q", token.Name.Local, a.Name.Local, a.Value)
				}
			}
		case xml.CharData:
			b.Write(token)
		}
	}
}

func TestDrawn(t *testing.T) {
	hostile := `</text><script>alert("1")</script>&`
	for name, p := range map[string]plot.Plot{
		"nothing":        {Title: "t"},
		"one point":      {Lines: []plot.Line{{Name: "a", Points: []plot.Point{{3, 4}}}}},
		"one point, log": {X: plot.Axis{Log: true}, Y: plot.Axis{Log: true}, Lines: []plot.Line{{Name: "a", Points: []plot.Point{{3, 4}}}}},
		"zeros":          {Y: plot.Axis{FromZero: true}, Lines: []plot.Line{{Name: "a", Points: []plot.Point{{0, 0}, {1, 0}}}}},
		"zeros, log":     {X: plot.Axis{Log: true}, Y: plot.Axis{Log: true}, Lines: []plot.Line{{Name: "a", Points: []plot.Point{{0, 0}, {1, 0}}}}},
		"not numbers":    {Lines: []plot.Line{{Name: "a", Points: []plot.Point{{math.NaN(), 1}, {1, math.Inf(1)}}}}},
		"wide":           {X: plot.Axis{Log: true}, Lines: []plot.Line{{Name: "a", Points: []plot.Point{{1e-9, -5}, {1e12, 1e9}}}}},
		"hostile":        {Title: hostile, About: hostile, X: plot.Axis{Label: hostile}, Y: plot.Axis{Label: hostile}, Lines: []plot.Line{{Name: hostile, Points: []plot.Point{{1, 1}}}, {Name: "b"}}},
		"many lines":     {Lines: make([]plot.Line, 20)},
	} {
		t.Run(name, func(t *testing.T) {
			elements, _ := parsed(t, string(p.File()))
			if elements["svg"] != 1 || elements["script"] != 0 || elements["title"] == 0 || elements["desc"] != 1 {
				t.Errorf("elements are %v", elements)
			}
			if _, texts := parsed(t, p.Fragment()); name == "hostile" && !strings.Contains(texts, hostile) {
				t.Error("the label is not shown as it is")
			}
		})
	}
}

func TestPointsAreShown(t *testing.T) {
	p := plot.Plot{Title: "Rate", X: plot.Axis{Label: "clients", Log: true}, Y: plot.Axis{Label: "orders/s", FromZero: true},
		Lines: []plot.Line{{Name: "1 node", Points: []plot.Point{{1, 1000}, {10, 20000}, {100, 300000}}}, {Name: "3 nodes", Points: []plot.Point{{1, 500}}}}}
	elements, texts := parsed(t, p.Fragment())
	if elements["circle"] != 4 || elements["rect"] != 3 { // with those of the legend and the paper
		t.Errorf("elements are %v", elements)
	}
	for _, want := range []string{"1 node: 100 clients, 300 k orders/s", "3 nodes: 1 clients, 500 orders/s", "100 k", "Rate"} {
		if !strings.Contains(texts, want) {
			t.Errorf("%q is missing in\n%s", want, texts)
		}
	}
}
