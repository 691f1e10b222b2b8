package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"
)

// ticksPerSecond is the unit of /proc/stat on every architecture that Go knows.
const ticksPerSecond = 100

// machine reads how long the processors of this machine have been busy. The file is
// Linux's; elsewhere the shares are shown without their total.
func machine(now time.Time) (sample, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return sample{}, err
	}
	cpu, err := parseBusy(string(text))
	return sample{at: now, cpu: cpu}, err
}

// parseBusy sums up all that is neither idle nor waiting for a disk. The time of
// guests, which comes last, is contained in that of users.
func parseBusy(stat string) (seconds float64, err error) {
	var user, nice, system, idle, wait, irq, soft, steal float64
	line, _, _ := strings.Cut(stat, "\n")
	if _, err := fmt.Sscanf(line, "cpu %g %g %g %g %g %g %g %g",
		&user, &nice, &system, &idle, &wait, &irq, &soft, &steal); err != nil {
		return 0, fmt.Errorf("read /proc/stat: %w", err)
	}
	return (user + nice + system + irq + soft + steal) / ticksPerSecond, nil
}

// loadAverage reads how many tasks wanted to run in the last minute; 0 where there is
// no /proc.
func loadAverage() (float64, error) {
	text, err := os.ReadFile("/proc/loadavg")
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var load float64
	if _, err := fmt.Sscanf(string(text), "%g", &load); err != nil {
		return 0, fmt.Errorf("read /proc/loadavg: %w", err)
	}
	return load, nil
}

// self reads what this process, the load generator, has used.
func self(now time.Time) (sample, error) {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return sample{}, fmt.Errorf("read the usage of this process: %w", err)
	}
	return sample{at: now, cpu: seconds(used.Utime) + seconds(used.Stime)}, nil
}

func seconds(t syscall.Timeval) float64 {
	return float64(t.Sec) + float64(t.Usec)/1e6
}
