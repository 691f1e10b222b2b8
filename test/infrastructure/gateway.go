package infrastructure

import "github.com/hybrid-e2e/hybrid/hybrid"

// Namespace is where the stores and services of every suite run.
const Namespace = "kubernaut-system"

// Names under which specs find the URL of an endpoint in hybrid.Environment.
const (
	EndpointGateway            = "gateway"
	EndpointGatewayMetrics     = "gateway-metrics"
	EndpointDataStorage        = "datastorage"
	EndpointDataStorageMetrics = "datastorage-metrics"
	EndpointAlertmanager       = "alertmanager"
)

// Gateway declares the suite of the Gateway: the service itself, DataStorage,
// which keeps its audit trail, the two stores behind that, and Alertmanager, which
// sends the Gateway alerts as in a real cluster.
func Gateway() hybrid.Suite {
	return hybrid.Suite{
		Name:      "gateway",
		Namespace: Namespace,
		Images: []hybrid.Image{
			{Name: "gateway", Dockerfile: "docker/gateway-ubi9.Dockerfile", Coverage: true},
			{Name: "datastorage", Dockerfile: "docker/data-storage.Dockerfile", Coverage: true},
			{Name: "postgresql", Dockerfile: "docker/postgresql.Dockerfile", Native: true},
			{Name: "redis", Dockerfile: "docker/redis.Dockerfile", Native: true},
			{Name: "alertmanager", Dockerfile: "docker/alertmanager.Dockerfile"},
		},
		Setup:   []string{"manifests/namespaces", "manifests/crds"},
		Secrets: storeSecrets(),
		// No workload waits for another: the services stay up and retry until what
		// they need has come.
		Workloads: []hybrid.Workload{
			{Name: "postgresql", Manifests: "manifests/postgresql"},
			{Name: "redis", Manifests: "manifests/redis"},
			{Name: "datastorage", Manifests: "manifests/datastorage"},
			{Name: "gateway", Manifests: "manifests/gateway"},
			{Name: "alertmanager", Manifests: "manifests/alertmanager"},
		},
		Endpoints: []hybrid.Endpoint{
			{Name: EndpointGateway, NodePort: PortGateway, Path: "/ready"},
			{Name: EndpointGatewayMetrics, NodePort: PortGatewayMetrics},
			{Name: EndpointDataStorage, NodePort: PortDataStorage, Path: "/health/ready"},
			{Name: EndpointDataStorageMetrics, NodePort: PortDataStorageMetrics},
			{Name: EndpointAlertmanager, NodePort: PortAlertmanager, Path: "/-/ready"},
		},
		Spare: spares(),
		Specs: "./test/e2e/gateway",
		// Four on two processors were the fastest of three to five.
		ExtraProcs: 2,
		Floors: map[string]float64{
			"cmd/gateway":            65,
			"pkg/gateway":            70,
			"pkg/gateway/adapters":   75,
			"pkg/gateway/middleware": 75,
			"pkg/gateway/metrics":    80,
			"pkg/audit":              70,
			// DataStorage is exercised here only as far as the Gateway needs it;
			// 61 to 63 % were measured.
			"cmd/datastorage": 60,
			"pkg/datastorage": 55,
		},
	}
}

// storeSecrets are the credentials that the stores and their clients mount. User
// and database have fixed names; the passwords are drawn anew for each cluster.
func storeSecrets() []hybrid.Secret {
	return []hybrid.Secret{
		{
			Name:   "postgresql-auth",
			Fixed:  map[string]string{"username": "audit", "database": "audit"},
			Random: []string{"password"},
		},
		{Name: "redis-auth", Random: []string{"password"}},
	}
}
