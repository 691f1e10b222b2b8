package chaos

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"
)

// tableVariable names the file to which the table of all trials is added.
const tableVariable = "CHAOS_TABLE"

// row is what one trial has shown.
type row struct {
	fault, place string
	exit         int
	told         string        // What the user saw of it.
	gone         time.Duration // How long anything of the run was there after it was stopped.
	left         string
}

var (
	rowsMu sync.Mutex // The tests of a package share nothing else.
	rows   []row
)

// note adds a row to the table.
func note(r row) {
	rowsMu.Lock()
	defer rowsMu.Unlock()
	rows = append(rows, r)
}

func TestMain(m *testing.M) {
	// Runs must not inherit that it is ignored, as nohup(1) has it: with a handler here
	// they start with what is usual.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	code := m.Run()
	if program, err := builtMage(); err == nil {
		_ = os.RemoveAll(filepath.Dir(program))
	}
	if err := show(os.Getenv(tableVariable)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code) //nolint:forbidigo // This is the main of the tests.
}

// show writes the table to the file, if there is to be one.
func show(file string) error {
	if file == "" || len(rows) == 0 {
		return nil
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "fault\tplace\texit\tgone after\tleft behind\ttold")
	for _, r := range rows {
		gone := "-"
		if r.gone > 0 {
			gone = fmt.Sprintf("%.1f s", r.gone.Seconds())
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", r.fault, r.place, r.exit, gone, r.left, r.told)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(b.String()), 0o644)
}
