//go:build ignore

// Launcher for machines without mage: `go run magefile.go <targets>`. The
// targets are in magefiles/.
package main

import (
	"os"

	"github.com/magefile/mage/mage"
)

func main() { os.Exit(mage.Main()) }
