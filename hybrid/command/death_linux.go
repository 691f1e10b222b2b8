package command

import "syscall"

// dieWithUs has the kernel send the signal to the process when this one dies.
func dieWithUs(a *syscall.SysProcAttr, signal syscall.Signal) { a.Pdeathsig = signal }
