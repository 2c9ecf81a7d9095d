package plot

import (
	"fmt"
	"html"
	"strings"
)

// The size of a plot and the room around its area, in user units.
const (
	width, height            = 720, 320
	left, right, top, bottom = 70, 30, 46, 52
	areaW, areaH             = width - left - right, height - top - bottom
	legendStep               = 150
)

// Style is the look of all plots, in light and dark. It names each colour where it is used: not every program that shows SVG knows variables.
const Style = `.plot{font:12px system-ui,sans-serif;max-width:100%;height:auto}.plot .title{font-size:14px;font-weight:600}` +
	`.plot .grid{stroke-width:1}.plot .line{fill:none;stroke-width:2;stroke-linejoin:round}` +
	`.plot .l1{stroke-dasharray:7 3}.plot .l2{stroke-dasharray:2 3}.plot .l3{stroke-dasharray:9 3 2 3}.plot .l4{stroke-dasharray:12 4}.plot .l5{stroke-dasharray:4 2}` +
	`.plot .paper{fill:#fff}.plot text{fill:#1b1f24}.plot .faint{fill:#5b636d}.plot .grid{stroke:#d8dde3}` +
	`.plot .l0{stroke:#0b62a8}.plot .l1{stroke:#b34700}.plot .l2{stroke:#00735c}.plot .l3{stroke:#8a3a80}.plot .l4{stroke:#7a5c00}.plot .l5{stroke:#3d4a57}` +
	`.plot .m0{fill:#0b62a8}.plot .m1{fill:#b34700}.plot .m2{fill:#00735c}.plot .m3{fill:#8a3a80}.plot .m4{fill:#7a5c00}.plot .m5{fill:#3d4a57}` +
	`@media(prefers-color-scheme:dark){` +
	`.plot .paper{fill:#15191e}.plot text{fill:#e8eaed}.plot .faint{fill:#a8b0ba}.plot .grid{stroke:#3a424c}` +
	`.plot .l0{stroke:#6cb6ff}.plot .l1{stroke:#ffa057}.plot .l2{stroke:#4fd1b0}.plot .l3{stroke:#e19bd7}.plot .l4{stroke:#e3c04f}.plot .l5{stroke:#b8c4d0}` +
	`.plot .m0{fill:#6cb6ff}.plot .m1{fill:#ffa057}.plot .m2{fill:#4fd1b0}.plot .m3{fill:#e19bd7}.plot .m4{fill:#e3c04f}.plot .m5{fill:#b8c4d0}}`

// hues is how many lines look different from each other.
const hues = 6

// File is a plot as a file of its own.
func (p Plot) File() []byte {
	return []byte(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + p.draw(` xmlns="http://www.w3.org/2000/svg"`, "<style>"+Style+"</style>\n") + "\n")
}

// Fragment is a plot as a part of a page, which has Style.
func (p Plot) Fragment() string { return p.draw("", "") }

func (p Plot) draw(namespace, style string) string {
	var xs, ys []float64
	for _, l := range p.Lines {
		for _, at := range p.drawable(l) {
			xs, ys = append(xs, at.X), append(ys, at.Y)
		}
	}
	x, y := p.X.scale(xs), p.Y.scale(ys)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="plot"%s viewBox="0 0 %d %d" width="%d" height="%d" role="img">`+"\n<title>%s</title>\n<desc>%s</desc>\n%s",
		namespace, width, height, width, height, html.EscapeString(p.Title), html.EscapeString(p.About), style)
	fmt.Fprintf(&b, `<rect class="paper" width="%d" height="%d"/>`+"\n"+`<text class="title" x="%d" y="16">%s</text>`+"\n", width, height, left, html.EscapeString(p.Title))
	drawAxes(&b, p, x, y)
	for i, l := range p.Lines {
		p.drawLine(&b, i, l, x, y)
	}
	if len(xs) == 0 {
		fmt.Fprintf(&b, `<text class="faint" x="%d" y="%d" text-anchor="middle">nothing to show</text>`+"\n", left+areaW/2, top+areaH/2)
	}
	b.WriteString("</svg>")
	return b.String()
}

func drawAxes(b *strings.Builder, p Plot, x, y scale) {
	for _, m := range y.marks {
		at := top + areaH*(1-y.at(m.At))
		fmt.Fprintf(b, `<line class="grid" x1="%d" y1="%.1f" x2="%d" y2="%.1f"/><text class="faint" x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			left, at, left+areaW, at, left-8, at+4, html.EscapeString(m.Text))
	}
	for _, m := range x.marks {
		share := x.at(m.At)
		if share < -1e-9 || share > 1+1e-9 {
			continue
		}
		at := left + areaW*share
		fmt.Fprintf(b, `<line class="grid" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/><text class="faint" x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n",
			at, top, at, top+areaH, at, top+areaH+18, html.EscapeString(m.Text))
	}
	fmt.Fprintf(b, `<text class="faint" x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", left+areaW/2, height-10, html.EscapeString(p.X.Label))
	fmt.Fprintf(b, `<text class="faint" transform="translate(14 %d) rotate(-90)" text-anchor="middle">%s</text>`+"\n", top+areaH/2, html.EscapeString(p.Y.Label))
}

func (p Plot) drawLine(b *strings.Builder, i int, l Line, x, y scale) {
	hue := i % hues
	if len(p.Lines) > 1 {
		at := left + i*legendStep
		fmt.Fprintf(b, `<path class="line l%d" d="M%d 28H%d"/>%s<text x="%d" y="32">%s</text>`+"\n",
			hue, at, at+28, mark(hue, float64(at+14), 28, ""), at+34, html.EscapeString(l.Name))
	}
	points := p.drawable(l)
	var path, marks strings.Builder
	for n, at := range points {
		px, py := left+areaW*x.at(at.X), top+areaH*(1-y.at(at.Y))
		move := byte('L')
		if n == 0 {
			move = 'M'
		}
		fmt.Fprintf(&path, "%c%.1f %.1f", move, px, py)
		said := fmt.Sprintf("%s: %s, %s", l.Name, p.X.said(at.X), p.Y.said(at.Y))
		marks.WriteString(mark(hue, px, py, html.EscapeString(said)) + "\n")
	}
	if len(points) > 0 {
		fmt.Fprintf(b, `<path class="line l%d" d="%s"/>`+"\n%s", hue, path.String(), marks.String())
	}
}

// mark is the sign of a line at one point: circle, square, triangle or diamond.
func mark(hue int, x, y float64, said string) string {
	if said != "" {
		said = "<title>" + said + "</title>"
	}
	shape := fmt.Sprintf(`<circle class="m%d" cx="%.1f" cy="%.1f" r="3.2">%s</circle>`, hue, x, y, said)
	switch hue % 4 {
	case 1:
		shape = fmt.Sprintf(`<rect class="m%d" x="%.1f" y="%.1f" width="6.4" height="6.4">%s</rect>`, hue, x-3.2, y-3.2, said)
	case 2:
		shape = fmt.Sprintf(`<path class="m%d" d="M%.1f %.1fl4 7h-8z">%s</path>`, hue, x, y-4, said)
	case 3:
		shape = fmt.Sprintf(`<path class="m%d" d="M%.1f %.1fl4 4-4 4-4-4z">%s</path>`, hue, x, y-4, said)
	}
	return shape
}
