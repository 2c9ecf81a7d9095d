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

// Style is the look of all plots, in light and dark.
const Style = `.plot{--ink:#1b1f24;--faint:#5b636d;--grid:#d8dde3;--paper:#fff;--c0:#0b62a8;--c1:#b34700;--c2:#00735c;--c3:#8a3a80;--c4:#7a5c00;--c5:#3d4a57;` +
	`font:12px system-ui,sans-serif;max-width:100%;height:auto}` +
	`@media(prefers-color-scheme:dark){.plot{--ink:#e8eaed;--faint:#a8b0ba;--grid:#3a424c;--paper:#15191e;--c0:#6cb6ff;--c1:#ffa057;--c2:#4fd1b0;--c3:#e19bd7;--c4:#e3c04f;--c5:#b8c4d0}}` +
	`.plot .paper{fill:var(--paper)}.plot text{fill:var(--ink)}.plot .faint{fill:var(--faint)}.plot .title{font-size:14px;font-weight:600}` +
	`.plot .grid{stroke:var(--grid);stroke-width:1}.plot .line{fill:none;stroke-width:2;stroke-linejoin:round}` +
	`.plot .l0{stroke:var(--c0)}.plot .l1{stroke:var(--c1);stroke-dasharray:7 3}.plot .l2{stroke:var(--c2);stroke-dasharray:2 3}` +
	`.plot .l3{stroke:var(--c3);stroke-dasharray:9 3 2 3}.plot .l4{stroke:var(--c4);stroke-dasharray:12 4}.plot .l5{stroke:var(--c5);stroke-dasharray:4 2}` +
	`.plot .m0{fill:var(--c0)}.plot .m1{fill:var(--c1)}.plot .m2{fill:var(--c2)}.plot .m3{fill:var(--c3)}.plot .m4{fill:var(--c4)}.plot .m5{fill:var(--c5)}`

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
