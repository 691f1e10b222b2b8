package infrastructure

import (
	"fmt"

	"github.com/hybrid-e2e/hybrid/hybrid"
)

// The NodePorts of all suites: APIs on 30080 + n, metrics on 30180 + n, where n is
// the number of the service. The Gateway's metrics keep 30090, the port that its
// dashboards were made for. Every NodePort in the manifests is explicit, so the API
// server never draws one that could be in this table.
const (
	PortGateway                 int32 = 30080
	PortGatewayMetrics          int32 = 30090
	PortDataStorage             int32 = 30081
	PortDataStorageMetrics      int32 = 30181
	PortSignalProcessing        int32 = 30082
	PortSignalProcessingMetrics int32 = 30182
	// Alertmanager serves its metrics on the port of its API.
	PortAlertmanager int32 = 30083
)

const (
	firstPort        int32 = 30080
	firstMetricsPort int32 = 30180
)

// Spare NodePorts are for the services that specs start themselves because they
// are going to disturb them.
const (
	// SparePorts is how many there are; the specs of a suite share them out.
	SparePorts           = 20
	firstSparePort int32 = 30100
)

// Spare returns the spare endpoint with the number, from 0 to SparePorts-1.
func Spare(number int) hybrid.Endpoint {
	return hybrid.Endpoint{Name: fmt.Sprintf("spare-%d", number), NodePort: firstSparePort + int32(number)} //nolint:gosec // The number is small.
}

func spares() []hybrid.Endpoint {
	all := make([]hybrid.Endpoint, SparePorts)
	for i := range all {
		all[i] = Spare(i)
	}
	return all
}

// FreePorts returns the NodePorts of a service that is not in the table yet: those of the
// first number of which both are free and not spare. No number is an error.
func FreePorts(service string, table []Port) (api, metrics int32, err error) {
	taken := map[int32]bool{}
	for _, p := range table {
		taken[p.NodePort] = true
	}
	for n := range firstSparePort - firstPort {
		api, metrics = firstPort+n, firstMetricsPort+n
		if !taken[api] && !taken[metrics] {
			return api, metrics, nil
		}
	}
	return 0, 0, fmt.Errorf("no pair of NodePorts is free for %s: services have %d and %d of the same number, and %d is spare already",
		service, firstPort, firstMetricsPort, firstSparePort)
}

// Port is one row of the table of NodePorts.
type Port struct {
	// Service is the name of the Kubernetes Service.
	Service string
	// Name is the name of the port in that Service.
	Name string
	// NodePort is the port on every node.
	NodePort int32
}

// Ports returns the table. A port that a manifest uses and that is missing here,
// or the other way round, fails the tests of this package.
func Ports() []Port {
	return []Port{
		{Service: "gateway", Name: "http", NodePort: PortGateway},
		{Service: "gateway", Name: "metrics", NodePort: PortGatewayMetrics},
		{Service: "datastorage", Name: "http", NodePort: PortDataStorage},
		{Service: "datastorage", Name: "metrics", NodePort: PortDataStorageMetrics},
		{Service: "alertmanager", Name: "http", NodePort: PortAlertmanager},
		{Service: "signalprocessing", Name: "http", NodePort: PortSignalProcessing},
		{Service: "signalprocessing", Name: "metrics", NodePort: PortSignalProcessingMetrics},
	}
}
