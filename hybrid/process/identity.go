package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// ErrGone says that there is no such process any more.
var ErrGone = errors.New("the process is gone")

// Identity names one process for good. Its id alone would not: the system gives
// it to another process later. The zero value names none.
type Identity struct {
	// PID is the process id, as its own namespace counts.
	PID int `json:"pid"`
	// Start is when the process started, in clock ticks after the boot. It is zero
	// where the system has no /proc; only the id is compared then.
	Start uint64 `json:"start,omitempty"`
	// Boot is the id of the machine's boot after which Start counts, Namespace that
	// of the process ids, Host the name of the machine. Each is empty when the
	// system does not tell.
	Boot      string `json:"boot,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Host      string `json:"host,omitempty"`
}

// Self is this process.
func Self() Identity {
	i, err := Of(os.Getpid())
	if err != nil {
		return Identity{PID: os.Getpid()} // No process reads its own end; at worst the id is all there is.
	}
	return i
}

// Of identifies the process that has the id now. The error is ErrGone when there
// is none, or only one that has ended and that its parent did not ask about yet.
func Of(pid int) (Identity, error) {
	i := here()
	i.PID = pid
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	switch {
	case err == nil:
		i.Start, err = parseStat(b)
		return i, err
	case errors.Is(err, syscall.ESRCH), errors.Is(err, os.ErrNotExist) && hasProc():
		return Identity{}, ErrGone
	case !errors.Is(err, os.ErrNotExist):
		return Identity{}, fmt.Errorf("identify process %d: %w", pid, err)
	case errors.Is(syscall.Kill(pid, 0), syscall.ESRCH):
		return Identity{}, ErrGone
	}
	return i, nil
}

// here is what all processes seen from this one have in common.
func here() Identity {
	var i Identity
	if b, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		i.Boot = strings.TrimSpace(string(b))
	}
	if space, err := os.Readlink("/proc/self/ns/pid"); err == nil {
		i.Namespace = space
	}
	if host, err := os.Hostname(); err == nil {
		i.Host = host
	}
	return i
}

func hasProc() bool {
	_, err := os.Stat("/proc/self/stat")
	return err == nil
}

// parseStat reads the start time from /proc/<pid>/stat. The second field is the
// program's name in parentheses, in which there may be anything.
func parseStat(stat []byte) (start uint64, err error) {
	const state, startTime = 3, 22 // Counted from 1, as in proc(5).
	end := bytes.LastIndexByte(stat, ')')
	fields := strings.Fields(string(stat[end+1:]))
	if end < 0 || len(fields) <= startTime-state {
		return 0, fmt.Errorf("a process's status has %d fields: %.80q", len(fields), stat)
	}
	if fields[0] == "Z" || fields[0] == "X" {
		return 0, ErrGone
	}
	return strconv.ParseUint(fields[startTime-state], 10, 64)
}

// Here tells whether this process can see whether the other one is alive: a
// process of another machine, or of a container with process ids of its own,
// cannot be told from one that is gone. After a restart of the machine it can.
func (i Identity) Here() bool {
	now := here()
	if i.Boot == now.Boot {
		return i.Namespace == now.Namespace
	}
	return i.Host == now.Host
}

// Alive tells whether exactly this process still runs. One that cannot be seen
// from here counts as gone.
func (i Identity) Alive() bool {
	if i.PID <= 0 || !i.Here() {
		return false
	}
	now, err := Of(i.PID)
	return err == nil && now.Start == i.Start && now.Boot == i.Boot
}
