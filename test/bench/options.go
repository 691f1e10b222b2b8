package bench

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// The bounds of what a measurement may ask for: it is to measure a Gateway on
// this machine, not to bring the machine down.
const (
	maxRate     = 5000
	maxDuration = 10 * time.Minute
	maxSoak     = time.Hour
	// minSoak is the shortest soak in which the minutes that are compared do not
	// overlap.
	minSoak = 7 * time.Minute
	// connections stay just below the Gateway's bound on requests in flight (100):
	// a refusal for overload is never what is measured, and neither is the sender.
	connections = 96
	maxConns    = 512
	maxProblems = 1000
)

// Options say what is sent, and for how long. Make them with OptionsFrom.
type Options struct {
	// Duration is that of each of the three loads.
	Duration time.Duration
	// Soak is how long the mixed load lasts that follows them; zero means none.
	Soak time.Duration
	// NewRate, DuplicateRate and RefusalRate are requests per second.
	NewRate, DuplicateRate, RefusalRate, SoakRate int
	// Problems is how many open requests the duplicates are about: a storm is many
	// alerts about few things.
	Problems int
	// Connections bounds the connections, and with them the requests in flight.
	Connections int
}

// OptionsFrom reads the options from environment variables. Every value that makes
// no sense is reported, all together. The rates of the three loads are a hundredth above
// their targets: a load that offers no more than the target cannot reach it.
func OptionsFrom(getenv func(string) string) (Options, error) {
	r := reader{getenv: getenv}
	o := Options{
		Duration:      r.duration("BENCH_DURATION", 30*time.Second, 5*time.Second, maxDuration),
		Soak:          r.duration("BENCH_SOAK", 0, minSoak, maxSoak),
		NewRate:       r.number("BENCH_RATE_NEW", 101, maxRate),
		DuplicateRate: r.number("BENCH_RATE_DUPLICATES", 505, maxRate),
		RefusalRate:   r.number("BENCH_RATE_REFUSALS", 505, maxRate),
		SoakRate:      r.number("BENCH_RATE_SOAK", 200, maxRate),
		Problems:      r.number("BENCH_PROBLEMS", 5, maxProblems),
		Connections:   r.number("BENCH_CONNECTIONS", connections, maxConns),
	}
	return o, fault.With(errors.Join(r.errs...), "mend the environment variables named above")
}

// command is what to type for the same measurement.
func (o Options) command() string {
	return fmt.Sprintf("BENCH_DURATION=%s BENCH_SOAK=%s BENCH_RATE_NEW=%d BENCH_RATE_DUPLICATES=%d BENCH_RATE_REFUSALS=%d"+
		" BENCH_RATE_SOAK=%d BENCH_PROBLEMS=%d BENCH_CONNECTIONS=%d mage bench:gateway",
		o.Duration, o.Soak, o.NewRate, o.DuplicateRate, o.RefusalRate, o.SoakRate, o.Problems, o.Connections)
}

// reader collects the mistakes of several variables.
type reader struct {
	getenv func(string) string
	errs   []error
}

func (r *reader) duration(name string, fallback, least, most time.Duration) time.Duration {
	text := r.getenv(name)
	if text == "" {
		return fallback
	}
	value, err := time.ParseDuration(text)
	if err != nil || value < least || value > most {
		r.errs = append(r.errs, fmt.Errorf("%s=%q: want a duration from %s to %s", name, text, least, most))
		return fallback
	}
	return value
}

func (r *reader) number(name string, fallback, most int) int {
	text := r.getenv(name)
	if text == "" {
		return fallback
	}
	value, err := strconv.Atoi(text)
	if err != nil || value < 1 || value > most {
		r.errs = append(r.errs, fmt.Errorf("%s=%q: want a whole number from 1 to %d", name, text, most))
		return fallback
	}
	return value
}
