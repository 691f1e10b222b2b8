//go:build !linux

package command

import "syscall"

// dieWithUs does nothing: only Linux tells a process that its parent has died.
func dieWithUs(*syscall.SysProcAttr, syscall.Signal) {}
