package bench

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// named are the shares that have rows of their own, in the order of the table. The
// rest of what runs in pods, and of the machine, is summed up.
func named() []string {
	return []string{"gateway", "kube-apiserver", "etcd", "datastorage", "postgresql", shareGenerator}
}

// table shows one column per load and one row per figure, aligned.
func table(results []Result) string {
	rows := [][]string{{""}}
	for _, r := range results {
		rows[0] = append(rows[0], r.Load)
	}
	row := func(name string, cell func(Result) string) {
		line := []string{name}
		for _, r := range results {
			line = append(line, cell(r))
		}
		rows = append(rows, line)
	}
	row("offered per second", func(r Result) string { return fmt.Sprintf("%d.0", r.Offered) })
	row("achieved per second", func(r Result) string { return tenths(r.Achieved) })
	row("requests", func(r Result) string { return fmt.Sprint(r.Requests) })
	row("success, %", func(r Result) string { return fmt.Sprintf("%.2f", 100*r.Ratio) })
	row("errors", func(r Result) string { return fmt.Sprint(r.Errors) })
	row("latency p50, ms", func(r Result) string { return tenths(r.P50) })
	row("latency p99, ms", func(r Result) string { return tenths(r.P99) })
	row("latency max, ms", func(r Result) string { return tenths(r.Max) })
	row("signals accepted / in requests", func(r Result) string { return fmt.Sprintf("%d / %d", r.Objects.Accepted, r.Objects.Counted) })
	row("audit events promised / stored", func(r Result) string { return fmt.Sprintf("%d / %d", r.Audit.Promised, r.Audit.Stored) })
	row("Gateway's memory at start, MiB", func(r Result) string { return tenths(r.Memory.Start) })
	row("Gateway's memory, peak, MiB", func(r Result) string { return tenths(r.Memory.Peak) })
	row("Gateway's memory at end, MiB", func(r Result) string { return tenths(r.Memory.End) })
	for _, share := range named() {
		row("CPU "+share+", cores", func(r Result) string { return cores(r.Cores[share]) })
	}
	row("CPU other pods, cores", func(r Result) string { return cores(otherPods(r.Cores)) })
	row("CPU outside pods, cores", func(r Result) string { return cores(outside(r.Cores)) })
	row("CPU machine, cores", func(r Result) string { return cores(r.Cores[shareMachine]) })
	row("most CPU", func(r Result) string { return largest(r.Cores) })
	row("target", func(r Result) string { return targetOf(r.Load).String() })
	row("verdict", func(r Result) string { return verdict(r.Missed) })
	return align(rows) + explain(results)
}

// floorTable shows what the API server does alone.
func floorTable(floors []Floor) string {
	rows := [][]string{{"API server alone", "clients", "writes", "per second", "p50, ms", "p99, ms", "its CPU, cores"}}
	for _, f := range floors {
		rows = append(rows, []string{
			f.Write, fmt.Sprint(f.Clients), fmt.Sprint(f.Writes), tenths(f.PerSecond), tenths(f.P50), tenths(f.P99), cores(f.Server),
		})
	}
	return align(rows)
}

// explain lists what was missed and which errors came, one line each.
func explain(results []Result) string {
	var b strings.Builder
	for _, r := range results {
		for _, missed := range r.Missed {
			fmt.Fprintf(&b, "%s: %s\n", r.Load, missed)
		}
		for _, reason := range r.Reasons {
			fmt.Fprintf(&b, "%s: error: %s\n", r.Load, reason)
		}
	}
	return b.String()
}

func verdict(missed []string) string {
	if len(missed) > 0 {
		return "missed"
	}
	return "met"
}

// otherPods sums up the containers without a row of their own.
func otherPods(cores map[string]float64) float64 {
	sum := 0.0
	for name, busy := range cores {
		if name != shareMachine && !slices.Contains(named(), name) {
			sum += busy
		}
	}
	return sum
}

// outside is what the machine did beyond pods and generator: kubelet, containerd,
// the engine's proxies, the kernel, and whatever else ran. 0 where the machine's total
// is not known.
func outside(cores map[string]float64) float64 {
	rest := cores[shareMachine]
	for name, busy := range cores {
		if name != shareMachine {
			rest -= busy
		}
	}
	return max(0, rest)
}

// largest names the share that kept the processors busiest.
func largest(cores map[string]float64) string {
	most := ""
	for _, name := range slices.Sorted(maps.Keys(cores)) {
		if name != shareMachine && (most == "" || cores[name] > cores[most]) {
			most = name
		}
	}
	if outside := outside(cores); outside > cores[most] {
		return "outside pods"
	}
	return most
}

// align pads the first column on its right and all others on their left, and leaves no
// space at the end of a line.
func align(rows [][]string) string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		line := []string{fmt.Sprintf("%-*s", widths[0], row[0])}
		for i, cell := range row[1:] {
			line = append(line, fmt.Sprintf("%*s", widths[i+1], cell))
		}
		b.WriteString(strings.TrimRight(strings.Join(line, "  "), " ") + "\n")
	}
	return b.String()
}

func tenths(value float64) string { return fmt.Sprintf("%.1f", value) }

// cores shows a dash where nothing was measured.
func cores(value float64) string {
	if value == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", value)
}
