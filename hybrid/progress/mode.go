package progress

import (
	"io"
	"os"
	"time"

	"github.com/fatih/color"
	"golang.org/x/term"
)

// Options are the choices of a Printer. The zero value is right for commands.
type Options struct {
	// Verbose prints every line of output of every task as it comes.
	Verbose bool
	// Getenv reads NO_COLOR, CI and TERM; nil means os.Getenv.
	Getenv func(string) string
	// Expected tells how long a task of a phase takes, from which a terminal shows how
	// much of it is left; false when it is not known. Nil knows nothing.
	Expected func(phase, name string) (time.Duration, bool)
}

// mode is what the output can show.
type mode struct {
	// live means that the cursor can be moved; colors that colours are wanted.
	live, colors bool
	// fd is the terminal's, when live.
	fd int
}

// decide finds the mode of w. A CI log may pretend to be a terminal, and a dumb
// terminal is none: both get plain lines.
func decide(w io.Writer, getenv func(string) string) mode {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || getenv("TERM") == "dumb" {
		return mode{}
	}
	switch getenv("CI") {
	case "", "0", "false":
		return mode{live: true, colors: getenv("NO_COLOR") == "", fd: int(f.Fd())}
	}
	return mode{}
}

// palette has the colours of one Printer. They are never the only sign: each
// colour goes with a word.
type palette struct{ heading, good, bad, dim *color.Color }

func newPalette(enabled bool) palette {
	p := palette{
		heading: color.New(color.Bold),
		good:    color.New(color.FgGreen),
		bad:     color.New(color.FgRed, color.Bold),
		dim:     color.New(color.Faint),
	}
	for _, c := range []*color.Color{p.heading, p.good, p.bad, p.dim} {
		// Each colour decides for itself, since color.NoColor is a global that
		// belongs to the whole process.
		if enabled {
			c.EnableColor()
		} else {
			c.DisableColor()
		}
	}
	return p
}
