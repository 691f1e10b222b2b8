package process

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// EndWithParent has the kernel send SIGTERM to this process when the one that started
// it dies, so that ending mage ends the program that it has compiled and started, too. The
// kernel keeps it with the calling thread, which the runtime does not end as long as no
// goroutine ends while it is locked to it.
func EndWithParent() error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGTERM), 0, 0, 0); err != nil {
		return fmt.Errorf("ask for a signal at the parent's death: %w", err)
	}
	return nil
}
