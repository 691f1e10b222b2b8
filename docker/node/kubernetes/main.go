package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	name := filepath.Base(os.Args[0])
	if _, known := applets()[name]; !known && len(os.Args) > 1 {
		os.Args = os.Args[1:]
		name = filepath.Base(os.Args[0])
	}
	run, known := applets()[name]
	if !known {
		names := slices.Sorted(maps.Keys(applets()))
		fmt.Fprintf(os.Stderr, "kubernetes: no applet %q; there are %s\n", name, strings.Join(names, ", "))
		os.Exit(2)
	}
	if name != "coredns" {
		withoutCoreDNSFlags()
	}
	os.Exit(run())
}

// withoutCoreDNSFlags replaces the global flag set, which every component adds
// to its own, by one without the short names that CoreDNS registers on import:
// they clash, -version for example. The rest stays, since the kubelet looks up
// cadvisor's flags there.
func withoutCoreDNSFlags() {
	coreDNS := []string{"conf", "dns.port", "p", "pidfile", "plugins", "quiet", "version"}
	kept := flag.NewFlagSet(os.Args[0], flag.ExitOnError)
	flag.CommandLine.VisitAll(func(f *flag.Flag) {
		if !slices.Contains(coreDNS, f.Name) {
			kept.Var(f.Value, f.Name, f.Usage)
		}
	})
	flag.CommandLine = kept
}
