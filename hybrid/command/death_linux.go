package command

import "syscall"

// dieWithUs has the kernel send the signal to the process when this one dies. It is sent
// for each of our threads that was the parent for a moment, as the others died first: a
// process may get it more than once.
func dieWithUs(a *syscall.SysProcAttr, signal syscall.Signal) { a.Pdeathsig = signal }
