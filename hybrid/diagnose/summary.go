package diagnose

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// SummaryFile is the name of the page to read first.
const SummaryFile = "SUMMARY.md"

// summarise writes the page: cause and next step first, then what stands out,
// where to look, and what is missing.
func (c *collector) summarise() error {
	<-c.masked
	files, findings, gaps := c.sorted()
	var b strings.Builder
	if c.o.Cause == nil {
		b.WriteString("Evidence was collected on request; no failure was reported.\n")
	} else {
		cause, rest, _ := strings.Cut(strings.TrimSpace(c.o.Cause.Error()), "\n")
		fmt.Fprintf(&b, "The run failed: %s\n", cause)
		if rest != "" {
			fmt.Fprintf(&b, "\n```\n%s\n```\n", rest)
		}
		if next := fault.Next(c.o.Cause); next != "" {
			fmt.Fprintf(&b, "\nNext: `%s`\n", next)
		}
	}
	fmt.Fprintf(&b, "\nCollected %s.\n", c.o.Now().UTC().Format(time.RFC3339))
	section(&b, "What stands out", findings, "")
	section(&b, "Files", files, "`")
	section(&b, "Not available", gaps, "")
	if err := os.WriteFile(filepath.Join(c.o.Dir, SummaryFile), []byte(c.mask.Text(b.String())), 0o644); err != nil {
		return fmt.Errorf("write the summary of the evidence: %w", err)
	}
	return nil
}

// section writes a list under a heading; an empty list is left out.
func section(b *strings.Builder, heading string, items []string, quote string) {
	if len(items) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n", heading)
	for _, item := range items {
		// An item of several lines stays one item of the list.
		fmt.Fprintf(b, "- %s%s%s\n", quote, strings.ReplaceAll(strings.TrimSpace(item), "\n", "\n  "), quote)
	}
}

// table is aligned text; its zero value is empty.
type table struct{ rows [][]string }

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) bytes() []byte {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, cells := range t.rows {
		_, _ = fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	_ = w.Flush()
	return b.Bytes()
}
