package docs

// trial is a command that is quick and changes nothing.
type trial struct {
	command string
	// exits are the codes that it may end with: what it finds on a machine is no mistake of
	// the page.
	exits []int
	// prints is a regular expression for what it prints.
	prints string
}

func here() []trial {
	return []trial{
		{"go tool mage -l", []int{0}, `(?m)^  e2E:gateway[*]? +tests the Gateway`},
		{"go tool mage -h soak", []int{0}, `(?s)Usage:.*mage soak <n>.*-keepGoing`},
		{"mage doctor", []int{0, 1, 3}, `(?m)^(ok|warning|error) +engine `},
		{"mage status", []int{0}, `there is no cluster|CLUSTER +SUITE`},
		{"mage images", []int{0}, `(?m)^IMAGE +KEY +IS +SIZE`},
		{"mage verify", []int{0}, `verify: \d+ rules hold`},
	}
}

// row is a command with what holds it: the file has the text.
type row struct{ command, file, text string }

const (
	workflow  = ".github/workflows/e2e.yml"
	nightly   = ".github/workflows/nightly.yml"
	adoptTest = "test/chaos/adopt_test.go"

	scaffoldTest = "test/scaffold/cluster_test.go"
	sharedTest   = "test/chaos/shared_test.go"

	existingTest = "test/existing/existing_test.go"
	existingSite = "test/existing/site_test.go"
)

// elsewhere are the commands that tests and steps of CI execute; those of adoptTest in the
// repository of the example, with its names.
func elsewhere() []row {
	return []row{
		{"go run magefile.go setup e2e:gateway", ".ci/run", "go run magefile.go setup test e2e:gateway"},
		{"mage cache:key", workflow, "go tool mage cache:key"},
		{"mage cache:restore images.tar", workflow, `run: go tool mage cache:restore "$RUNNER_TEMP/images.tar"`},
		{"mage cache:save images.tar", workflow, `run: go tool mage cache:save "$RUNNER_TEMP/images.tar"`},
		{"go run magefile.go setup test", ".ci/run", "go run magefile.go setup test e2e:gateway"},
		{"go test -v -run 'Simulat|Example' ./hybrid/shard", ".ci/run", "go run magefile.go setup test"},
		{"mage report:merge shards", "hybrid/merge_test.go", "MergeReports(t.Context()"},
		{"go tool mage new:suite orders", scaffoldTest, `{{service}, {controller, "-controller"}}`},
		{"go tool mage new:suite labeller -controller", scaffoldTest, `{{service}, {controller, "-controller"}}`},
		{"go tool mage e2e:orders", scaffoldTest, `"e2e:"+args[0]`},
		{"go run github.com/hybrid-e2e/hybrid/cmd/hybrid verify ../shop", "cmd/hybrid/main_test.go", `"verify", good`},
		{"REGISTRY=registry.example.com/e2e mage base:refresh", sharedTest, `step("refresh", `},
		{"REGISTRY=registry.example.com/e2e mage build", sharedTest, `step("build", `},
		{
			"CLUSTER=existing KUBECONFIG=$HOME/clusters/team REGISTRY=registry.example.com/e2e mage e2e:gateway",
			existingTest, `"CLUSTER=existing", "KUBECONFIG="+s.kubeconfig, "CONTEXT=", "REGISTRY="+s.registry+"/team"`,
		},
		{"CLUSTER=existing KUBECONFIG=$HOME/clusters/team REGISTRY=registry.example.com/e2e mage e2e:job 4", existingTest, `"e2e:job")`},
		{"kubectl apply -f manifests/runner", existingSite, `d.Setup(t.Context(), nil, "manifests/runner")`},
		{"kubectl -n hybrid-runner create token runner --duration=8h", existingSite, `ServiceAccounts("hybrid-runner").CreateToken(`},
		{"mage e2e:gateway", workflow, "run: go tool mage e2e:gateway"},
		{"CONTAINER_ENGINE=podman mage e2e:fullpipeline", nightly, "CONTAINER_ENGINE=podman go tool mage e2e:fullpipeline"},
		{"go tool mage setup e2e", adoptTest, `"e2e"`},
		{
			"go mod edit -require=github.com/hybrid-e2e/hybrid@v0.0.0 -replace=github.com/hybrid-e2e/hybrid=../hybrid",
			adoptTest, `"go", "mod", "edit", "-require="+module+"@v0.0.0", "-replace="`,
		},
		{"mage deploy", adoptTest, `"mage deploy"`},
		{"KEEP_CLUSTER=1 mage e2e:gateway", adoptTest, `"KEEP_CLUSTER=1 FOCUS='greets' mage e2e"`},
		{"KEEP_CLUSTER=1 FOCUS='Replay' mage e2e:gateway", adoptTest, `"KEEP_CLUSTER=1 FOCUS='greets' mage e2e"`},
		{"KEEP_CLUSTER=1 LABELS='replay || deduplication' mage e2e:gateway", adoptTest, `"KEEP_CLUSTER=1 LABELS='smoke || slow' mage e2e"`},
		{
			"HYBRID_ENVIRONMENT=$PWD/_artifacts/latest/environment.json go tool ginkgo --focus 'Replay' ./test/e2e/gateway",
			adoptTest, `"HYBRID_ENVIRONMENT=$PWD/_artifacts/latest/environment.json go tool ginkgo --focus 'greets' ./specs"`,
		},
		{"KUBECONFIG=$PWD/.hybrid/gateway/kubeconfig kubectl get pods -A", adoptTest, `"KUBECONFIG=$PWD/.hybrid/greeter/kubeconfig kubectl get pods -A"`},
		{
			`jq -r '.phases[] | .name as $p | .tasks[] | [.end-.start, $p, .name, .outcome] | @tsv' _artifacts/latest/timeline.json | sort -rn | head`,
			adoptTest, "`jq -r '.phases[] | .name as $p | .tasks[] | [.end-.start, $p, .name, .outcome] | @tsv' _artifacts/latest/timeline.json | sort -rn | head`",
		},
	}
}

// step is a command that takes minutes, and needs a cluster or makes one.
type step struct {
	command string
	// env shortens what it does.
	env []string
	// exits are the codes that it may end with: a target that is missed on a busy machine
	// is no mistake of the page.
	exits []int
	// prints is a regular expression for what it prints.
	prints string
}

// onACluster are the commands that TestOnACluster executes, those of each part one after the
// other.
func onACluster() map[string][]step {
	return map[string][]step{"gateway": {
		{"mage bench:gateway", []string{"BENCH_DURATION=5s"}, []int{0, 1}, `(?m)^verdict `},
		{"KEEP_CLUSTER=1 mage bench:gateway", []string{"BENCH_DURATION=5s"}, []int{0, 1}, `(?m)^verdict `},
		{
			`docker image inspect --format '{{index .Config.Labels "io.hybrid.stand-in"}}' hybrid.local/base/redis:KEY`,
			nil,
			[]int{0},
			`redis`,
		},
		{
			`kubectl -n kubernaut-system logs -l app.kubernetes.io/name=gateway --tail=-1 | jq -c 'select(.request_id == "5f0c9a52-1d3e-4b7a-9c55-2f6f0c1e8d34")'`,
			nil,
			[]int{0},
			`^$`,
		},
		{`kubectl -n kubernaut-system logs -l app.kubernetes.io/name=datastorage --tail=-1 | jq -c 'select(.level != "INFO")'`, nil, []int{0}, ``},
		{
			`kubectl -n kubernaut-system exec deploy/redis -- sh -c 'REDISCLI_AUTH=$(cat /etc/secrets/redis/password) redis-cli XRANGE audit:dead - + COUNT 10'`,
			nil,
			[]int{0},
			`^\s*$`,
		},
		{
			"kubectl create clusterrolebinding sender --clusterrole=gateway-signal-source --serviceaccount=default:sender",
			nil,
			[]int{0},
			`clusterrolebinding.rbac.authorization.k8s.io/sender created`,
		},
		{"TOKEN=$(kubectl create token sender)", nil, []int{0}, `^$`},
		{"KEEP_CLUSTER=1 BENCH_SOAK=10m mage bench:gateway", []string{"BENCH_DURATION=5s"}, []int{0, 1}, `soak`},
	}, "platforms": {
		{"PLATFORMS=linux/amd64,linux/arm64 mage build", nil, []int{0}, `index\.gateway .*ok: linux/amd64, linux/arm64: sha256:`},
	}, "soak": {
		{"mage soak 10", []string{"FOCUS=Health"}, []int{0}, `10 of 10`},
		{"mage soak 10 -keepgoing", []string{"FOCUS=Health"}, []int{0}, `10 of 10`},
	}, "shards": {
		{"SHARD=2/5 mage e2e:gateway", nil, []int{0}, `shard 2/5: \d+ of \d+ specs`},
		{"SHARD_TIMES=durations.json SHARD=1/2 mage e2e:gateway", []string{"LABELS=openapi || cors"}, []int{0}, `shard 1/2: \d+ of \d+ specs, divided evenly`},
		{"mage e2e:sharded 2", []string{"LABELS=openapi || cors"}, []int{0}, `each ran once`},
	}, "chaos": {
		{"RUN=TestStops/deploy mage chaos", nil, []int{0}, `artifacts: `},
		{"mage chaos", []string{"RUN=TestPreflight"}, []int{0}, `artifacts: `},
	}}
}

// requests names the test that sends the requests in a page's blocks in sh.
func requests(page string) string {
	switch page {
	case "docs/gateway/api.md":
		return "pkg/gateway/server/docs_api_test.go"
	case "docs/datastorage/api.md":
		return "pkg/datastorage/server/docs_test.go"
	}
	return ""
}
