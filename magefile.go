//go:build ignore

// Launcher for machines without mage: `go run magefile.go <targets>`. The
// targets are in magefiles/.
package main

import (
	"os"

	"github.com/magefile/mage/mage"
)

func main() {
	// Compilers end soon: less garbage collection saves a seventh of the first compile.
	if os.Getenv("GOGC") == "" {
		_ = os.Setenv("GOGC", "400") // Only a name that is none could fail.
	}
	os.Exit(mage.Main())
}
