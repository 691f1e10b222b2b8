package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/hybrid-e2e/hybrid/test/bench/processors"
)

// machine reads how long the processors of this machine have been busy. Where that is
// not known the shares are shown without their total.
func machine(now time.Time) (sample, error) {
	cpu, err := processors.Busy()
	return sample{at: now, cpu: cpu}, err
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
