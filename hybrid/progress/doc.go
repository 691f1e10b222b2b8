// Package progress owns what a person sees while a run goes on. It is the one
// place that knows terminals, NO_COLOR and CI: on a terminal it keeps a live
// area with one line per running task, with a bar where it is known how long the
// task takes; anywhere else it prints plain lines without control characters and
// tells from time to time that long tasks still run. It also prints a run's
// failure, once, with the next command.
package progress
