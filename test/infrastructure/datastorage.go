package infrastructure

import "github.com/hybrid-e2e/hybrid/hybrid"

// DataStorage declares the suite of DataStorage: the service and its two stores.
// What the specs disturb they start themselves, on the spare endpoints.
func DataStorage() hybrid.Suite {
	return hybrid.Suite{
		Name:      "datastorage",
		Namespace: Namespace,
		Images: []hybrid.Image{
			{Name: "datastorage", Dockerfile: "docker/data-storage.Dockerfile", Coverage: true},
			{Name: "postgresql", Dockerfile: "docker/postgresql.Dockerfile", Native: true},
			{Name: "redis", Dockerfile: "docker/redis.Dockerfile", Native: true},
		},
		Setup:   []string{"manifests/namespaces"},
		Secrets: storeSecrets(),
		// No workload waits for another: DataStorage stays up and retries until its
		// stores have come.
		Workloads: []hybrid.Workload{
			{Name: "postgresql", Manifests: "manifests/postgresql"},
			{Name: "redis", Manifests: "manifests/redis"},
			{Name: "datastorage", Manifests: "manifests/datastorage"},
		},
		Endpoints: []hybrid.Endpoint{
			{Name: EndpointDataStorage, NodePort: PortDataStorage, Path: "/health/ready"},
			{Name: EndpointDataStorageMetrics, NodePort: PortDataStorageMetrics},
		},
		Spare: spares(),
		Specs: "./test/e2e/datastorage",
		// Outages are waited for: 128 s with three processes on two processors, 84 s with
		// five.
		ExtraProcs: 3,
		Floors: map[string]float64{
			"cmd/datastorage": 60,
			"pkg/datastorage": 70,
		},
	}
}
