// Package processors tells how long the processors of this machine have been busy, so
// that a measurement can show what was work and what was waiting.
package processors

import (
	"fmt"
	"os"
	"strings"
)

// ticksPerSecond is the unit of /proc/stat on every architecture that Go knows.
const ticksPerSecond = 100

// Busy is the time in seconds that all processors together have been busy since the
// machine started, with whatever it was. The file is Linux's; elsewhere the error is
// fs.ErrNotExist.
func Busy() (seconds float64, err error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return parse(string(text))
}

// parse sums up all that is neither idle nor waiting for a disk. The time of guests,
// which comes last, is contained in that of users.
func parse(stat string) (seconds float64, err error) {
	var user, nice, system, idle, wait, irq, soft, steal float64
	line, _, _ := strings.Cut(stat, "\n")
	if _, err := fmt.Sscanf(line, "cpu %g %g %g %g %g %g %g %g",
		&user, &nice, &system, &idle, &wait, &irq, &soft, &steal); err != nil {
		return 0, fmt.Errorf("read /proc/stat: %w", err)
	}
	return (user + nice + system + irq + soft + steal) / ticksPerSecond, nil
}
