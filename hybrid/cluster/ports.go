package cluster

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// choosePorts gives every mapping a host port on 127.0.0.1: a free one, or the
// NodePort's own number when fixed is set, which must then be free. The last port is a
// free one for the API server.
func choosePorts(ctx context.Context, ports []Port, fixed bool) (chosen []Port, apiServer int32, err error) {
	var listen net.ListenConfig
	var open []net.Listener
	// All stay open until every one is chosen, so that none is drawn twice.
	defer func() {
		for _, l := range open {
			_ = l.Close()
		}
	}()
	draw := func(port int32) (int32, error) {
		l, err := listen.Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
		if err != nil {
			return 0, err
		}
		open = append(open, l)
		return int32(l.Addr().(*net.TCPAddr).Port), nil //nolint:errcheck,gosec // A TCP listener has a TCP address, and its port fits.
	}
	for _, p := range ports {
		var want int32
		if fixed {
			want = p.Node
		}
		if p.Host, err = draw(want); err != nil {
			return nil, 0, fault.With(fmt.Errorf("host port for endpoint %s: %w", p.Name, err),
				"free the port, or unset FIXED_PORTS to let the run choose free ones")
		}
		chosen = append(chosen, p)
	}
	if apiServer, err = draw(0); err != nil {
		return nil, 0, fmt.Errorf("host port for the API server: %w", err)
	}
	return chosen, apiServer, nil
}

// portTaken reports whether a cluster could not be made because somebody took a port
// after it had been drawn.
func portTaken(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "port is already allocated") || strings.Contains(err.Error(), "address already in use"))
}

// CheckPorts finds out, before any work starts, whether the fixed host ports of a
// new cluster are free. With a cluster recorded in state it says nothing, since
// that one may hold them itself.
func CheckPorts(ctx context.Context, state string, ports []Port) error {
	if r, err := readRecord(state); err != nil || r != nil {
		return err
	}
	_, _, err := choosePorts(ctx, ports, true)
	return err
}
