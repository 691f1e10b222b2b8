package config

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

func noEnvironment(string) string { return "" }

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadLaysTheFileOverTheDefaults(t *testing.T) {
	path := write(t, "audit: {data_storage_url: http://datastorage:8080}\nshutdown: {delay: 250ms}\nserver: {cors_origins: ['https://a.example']}\nlog: {level: debug}\n")
	got, err := Source{Path: path, Getenv: noEnvironment}.Load()
	if err != nil {
		t.Fatal(err)
	}
	if got.Shutdown.Delay.Std() != 250*time.Millisecond || got.Shutdown.DrainTimeout.Std() != 30*time.Second {
		t.Errorf("shutdown %+v", got.Shutdown)
	}
	if got.Server.Address != ":8080" || got.Server.MaxInFlight != 100 || got.Server.MaxBodyBytes != 262144 || !got.Auth.Enabled {
		t.Errorf("defaults %+v", got)
	}
	if level := got.Log.SlogLevel(); level != slog.LevelDebug {
		t.Errorf("level %v", level)
	}
	if level := (Log{Level: "loud"}).SlogLevel(); level != slog.LevelInfo {
		t.Errorf("an unknown level gives %v", level)
	}
}

func TestEnvironmentOverridesTheFile(t *testing.T) {
	environment := map[string]string{
		EnvAddress: "127.0.0.1:1", EnvMetricsAddress: "127.0.0.1:2", EnvDataStorageURL: "https://other",
	}
	got, err := Source{Getenv: func(name string) string { return environment[name] }}.Load()
	if err != nil {
		t.Fatal(err)
	}
	if got.Server.Address != "127.0.0.1:1" || got.Server.MetricsAddress != "127.0.0.1:2" || got.Audit.DataStorageURL != "https://other" {
		t.Errorf("got %+v", got)
	}
}

func TestParseNamesTheLineOfAMistake(t *testing.T) {
	for content, want := range map[string]string{
		"log:\n  level: info\n  colour: red\n": "line 3: field colour not found",
		"nonsense: 1\n":                        "line 1: field nonsense not found",
		"shutdown:\n  delay: 5\n":              `line 2: "5" is not a duration with a unit`,
		"shutdown:\n  delay: soon\n":           `line 2: "soon" is not a duration with a unit`,
		"shutdown:\n  delay: [1]\n":            "line 2",
		"server:\n  max_in_flight: many\n":     "line 2",
		"log: {level: info}\n---\nlog: {}\n":   "only one document is allowed",
	} {
		_, err := Source{Path: write(t, content), Getenv: noEnvironment}.Load()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", content, err, want)
		}
	}
}

func TestValidateReportsEveryProblem(t *testing.T) {
	config := Default()
	config.Server.Address = "8080"
	config.Server.TrustedProxies = []string{"10.0.0.1"}
	config.Server.CORSOrigins = []string{"console.example.com"}
	config.Server.MaxInFlight = 0
	config.Server.WriteTimeout = config.Processing.Timeout
	config.Processing.FallbackNamespace = "Not A Name"
	config.Kubernetes.QPS = 0
	config.Audit.BatchSize = 1001
	config.Auth.CacheTTL = 0
	config.Shutdown.Delay = -1
	config.Log.Level = "loud"
	err := config.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	want := []string{
		`audit.batch_size: must be at most 1000`,
		`audit.data_storage_url: "" is not a URL; set it, or GATEWAY_DATASTORAGE_URL, or audit.enabled: false`,
		`auth.cache_ttl: must be above zero`,
		`kubernetes.qps: must not be zero; write -1 for no limit`,
		`log.level: "loud" is not debug, info, warn or error`,
		`processing.fallback_namespace: "Not A Name" is not the name of a namespace`,
		`server.address: "8080" is not host:port`,
		`server.cors_origins: "console.example.com" is not an origin such as https://console.example.com`,
		`server.max_in_flight: must be above zero`,
		`server.trusted_proxies: "10.0.0.1" is not a network such as 10.0.0.0/8`,
		`server.write_timeout: must be longer than processing.timeout, or answers are cut off`,
		`shutdown.delay: must not be negative`,
	}
	if got := strings.Split(err.Error(), "\n"); strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got\n%s\nwant\n%s", err, strings.Join(want, "\n"))
	}
}

func TestLoadReportsAMissingFile(t *testing.T) {
	if _, err := (Source{Path: "/does/not/exist.yaml", Getenv: noEnvironment}).Load(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// TestManifestIsAccepted proves that the deployed configuration and the code agree,
// and that the pod's grace period is longer than the orderly end.
func TestManifestIsAccepted(t *testing.T) {
	var manifest struct {
		Data map[string]string `yaml:"data"`
	}
	decode(t, "../../../manifests/gateway/configmap.yaml", &manifest)
	config, err := Source{Path: write(t, manifest.Data["config.yaml"]), Getenv: noEnvironment}.Load()
	if err != nil {
		t.Fatal(err)
	}
	var deployment struct {
		Spec struct {
			Template struct {
				Spec struct {
					Grace int `yaml:"terminationGracePeriodSeconds"`
				} `yaml:"spec"`
			} `yaml:"template"`
		} `yaml:"spec"`
	}
	decode(t, "../../../manifests/gateway/deployment.yaml", &deployment)
	grace := time.Duration(deployment.Spec.Template.Spec.Grace) * time.Second
	end := config.Shutdown.Delay.Std() + config.Shutdown.DrainTimeout.Std() + config.Shutdown.AuditTimeout.Std()
	if end >= grace {
		t.Errorf("the orderly end takes up to %s, the pod has %s", end, grace)
	}
}

func decode(t *testing.T, path string, into any) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(content, into); err != nil {
		t.Fatal(err)
	}
}

func TestDurationIsWrittenAsItIsRead(t *testing.T) {
	content, err := yaml.Marshal(Default())
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(content)
	if err != nil || again.Replay != Default().Replay {
		t.Errorf("got %+v, %v", again, err)
	}
}
