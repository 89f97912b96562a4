package loadtest

import (
	"context"
	"fmt"
	"math"
	"os"
	"strings"
)

// Plot measures what calls cost at growing numbers of sessions, by one client, and
// writes an SVG of it: medians in microseconds, both axes logarithmic.
func Plot(ctx context.Context, o Options, path string) error {
	b := &bench{o: o}
	sizes := []int{100, 1000, 10_000, b.pick(100_000, 20_000)}
	calls := append(readCalls[:len(readCalls):len(readCalls)], read{name: "patch", text: func(n, entries int) string { return patch(newest(n, entries), n) }})
	cost := make([][]float64, len(calls))
	for _, entries := range sizes {
		p, err := b.gateway(ctx, o.Parley, entries, "")
		if err != nil {
			return err
		}
		for i, call := range calls {
			cs, err := gather(ctx, p, 1)
			if err != nil {
				p.stop()
				return err
			}
			f, err := closed(p, cs, o.Duration, []int{0}, ask(func(_, n int) string { return call.text(n, entries) }))
			cs.leave()
			if err != nil {
				p.stop()
				return err
			}
			cost[i] = append(cost[i], f.P50)
		}
		p.stop()
		o.Log.Info("measured", "sessions", entries)
	}
	return os.WriteFile(path, []byte(svg(sizes, calls, cost)), 0o644)
}

// Sizes of the picture.
const (
	plotWidth, plotHeight       = 760, 420
	plotLeft, plotTop           = 70, 20
	plotRight, plotBottom       = 250, 50
	leastMicros, mostMicros     = 10.0, 10_000.0
	plotColours                 = "#0b6e62 #b3261e #7a4fbf #c77700 #2c6fb8 #5c7a1f #8a3d6b #444444"
	plotAxis, plotFont, plotDot = "#888", "12px sans-serif", 3
)

// svg draws the costs of calls at sizes.
func svg(sizes []int, calls []read, cost [][]float64) string {
	var s strings.Builder
	colours := strings.Fields(plotColours)
	x := func(n int) float64 {
		low, high := math.Log10(float64(sizes[0])), math.Log10(float64(sizes[len(sizes)-1]))
		return plotLeft + (math.Log10(float64(n))-low)/(high-low)*(plotWidth-plotLeft-plotRight)
	}
	y := func(us float64) float64 {
		share := (math.Log10(us) - math.Log10(leastMicros)) / (math.Log10(mostMicros) - math.Log10(leastMicros))
		return plotHeight - plotBottom - share*(plotHeight-plotTop-plotBottom)
	}
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font="%s" font-family="sans-serif" font-size="12">`+"\n", plotWidth, plotHeight, plotFont)
	fmt.Fprintf(&s, `<rect width="%d" height="%d" fill="white"/>`+"\n", plotWidth, plotHeight)
	for us := leastMicros; us <= mostMicros; us *= 10 {
		fmt.Fprintf(&s, `<path d="M%d %.1f H%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end" fill="%s">%.0f µs</text>`+"\n", plotLeft, y(us), plotWidth-plotRight, plotLeft-8, y(us)+4, plotAxis, us)
	}
	for _, n := range sizes {
		fmt.Fprintf(&s, `<text x="%.1f" y="%d" text-anchor="middle" fill="%s">%d</text>`+"\n", x(n), plotHeight-plotBottom+20, plotAxis, n)
	}
	fmt.Fprintf(&s, `<text x="%d" y="%d" text-anchor="middle" fill="%s">sessions in the store</text>`+"\n", (plotLeft+plotWidth-plotRight)/2, plotHeight-12, plotAxis)
	for i, call := range calls {
		colour := colours[i%len(colours)]
		var line strings.Builder
		for j, us := range cost[i] {
			fmt.Fprintf(&line, "%c%.1f %.1f ", "ML"[min(j, 1)], x(sizes[j]), y(max(us, leastMicros)))
			fmt.Fprintf(&s, `<circle cx="%.1f" cy="%.1f" r="%d" fill="%s"/>`, x(sizes[j]), y(max(us, leastMicros)), plotDot, colour)
		}
		fmt.Fprintf(&s, `<path d="%s" fill="none" stroke="%s" stroke-width="2"/><text x="%d" y="%d" fill="%s">%s</text>`+"\n",
			strings.TrimSpace(line.String()), colour, plotWidth-plotRight+20, plotTop+20+i*20, colour, call.name)
	}
	s.WriteString("</svg>\n")
	return s.String()
}
