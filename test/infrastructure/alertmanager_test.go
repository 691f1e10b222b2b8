package infrastructure

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// alertmanagerConfig is what these tests read of alertmanager.yml.
type alertmanagerConfig struct {
	Receivers []struct {
		Name     string `json:"name"`
		Webhooks []struct {
			URL          string `json:"url"`
			SendResolved bool   `json:"send_resolved"`
			HTTP         struct {
				Authorization struct {
					Type            string `json:"type"`
					CredentialsFile string `json:"credentials_file"`
				} `json:"authorization"`
			} `json:"http_config"`
		} `json:"webhook_configs"`
	} `json:"receivers"`
}

func TestAlertmanagerSendsToTheGatewayWithTheTokenThatIsMounted(t *testing.T) {
	m := readManifests(t, Gateway())
	var config alertmanagerConfig
	content := m.configs["alertmanager-config"].Data["alertmanager.yml"]
	if err := yaml.Unmarshal([]byte(content), &config); err != nil {
		t.Fatal(err)
	}
	if len(config.Receivers) != 1 || len(config.Receivers[0].Webhooks) != 1 {
		t.Fatalf("want one receiver with one webhook, got %+v", config.Receivers)
	}
	webhook := config.Receivers[0].Webhooks[0]
	gateway := fmt.Sprintf("http://gateway:%d/", portOf(t, m.services["gateway"], "http"))
	if !strings.HasPrefix(webhook.URL, gateway) {
		t.Errorf("the webhook goes to %s, the Gateway's Service is %s", webhook.URL, gateway)
	}
	if !webhook.SendResolved {
		t.Error("resolved alerts are not sent; the specs count on them")
	}
	pod := m.deployments["alertmanager"].Spec.Template.Spec
	if file := tokenFile(t, pod); webhook.HTTP.Authorization.CredentialsFile != file {
		t.Errorf("the receiver reads %s, the token is mounted as %s", webhook.HTTP.Authorization.CredentialsFile, file)
	}
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		t.Error("a second token is mounted, which nothing reads")
	}
}

func TestDocsShowTheReceiverThatIsTested(t *testing.T) {
	docs := read(t, "docs/gateway.md")
	_, section, found := strings.Cut(docs, "\n## Senders: Alertmanager\n")
	if !found {
		t.Fatal("docs/gateway.md has no section about Alertmanager")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	manifests := read(t, "manifests/alertmanager/configmap.yaml") + read(t, "manifests/alertmanager/deployment.yaml")
	blocks := strings.Split(section, "```yaml\n")[1:]
	if len(blocks) != 2 {
		t.Fatalf("want the receiver and its token as YAML, got %d blocks", len(blocks))
	}
	for _, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		if !containsIndented(manifests, block) {
			t.Errorf("manifests/alertmanager has nothing like this of docs/gateway.md:\n%s", block)
		}
	}
}

// containsIndented tells whether all has the lines of block, one after the other and
// moved to the right by the same number of spaces.
func containsIndented(all, block string) bool {
	for indent := range 16 {
		moved := strings.ReplaceAll("\n"+strings.TrimSuffix(block, "\n"), "\n", "\n"+strings.Repeat(" ", indent))
		if strings.Contains("\n"+all, moved+"\n") {
			return true
		}
	}
	return false
}

// tokenFile is where the only container of the pod finds the projected token.
func tokenFile(t *testing.T, pod corev1.PodSpec) string {
	t.Helper()
	for _, volume := range pod.Volumes {
		if volume.Projected == nil {
			continue
		}
		for _, mount := range pod.Containers[0].VolumeMounts {
			if mount.Name == volume.Name {
				return path.Join(mount.MountPath, volume.Projected.Sources[0].ServiceAccountToken.Path)
			}
		}
	}
	t.Fatal("no projected token is mounted")
	return ""
}

func portOf(t *testing.T, service corev1.Service, name string) int32 {
	t.Helper()
	for _, p := range service.Spec.Ports {
		if p.Name == name {
			return p.Port
		}
	}
	t.Fatalf("service %s has no port %s", service.Name, name)
	return 0
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(repository, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
