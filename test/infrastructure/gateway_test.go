package infrastructure

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestEverySuiteIsValid(t *testing.T) {
	for _, suite := range All() {
		if err := suite.Validate(repository); err != nil {
			t.Error(err)
		}
	}
}

func TestTableOfPortsHasNoDoubles(t *testing.T) {
	seen := map[int32]Port{}
	for _, p := range Ports() {
		if other, taken := seen[p.NodePort]; taken {
			t.Errorf("%s/%s and %s/%s share port %d", p.Service, p.Name, other.Service, other.Name, p.NodePort)
		}
		seen[p.NodePort] = p
	}
}

func TestNodePortsOfManifestsAreThoseOfTheTable(t *testing.T) {
	got := map[Port]bool{}
	for _, suite := range All() {
		for _, service := range readManifests(t, suite).services {
			for _, p := range service.Spec.Ports {
				if service.Spec.Type == corev1.ServiceTypeNodePort {
					got[Port{Service: service.Name, Name: p.Name, NodePort: p.NodePort}] = true
				}
			}
		}
	}
	want := map[Port]bool{}
	for _, p := range Ports() {
		want[p] = true
	}
	if !maps.Equal(got, want) {
		t.Errorf("manifests have %v, the table has %v", got, want)
	}
}

func TestEndpointsOfSuitesAreInTheTable(t *testing.T) {
	table := map[int32]bool{}
	for _, p := range Ports() {
		table[p.NodePort] = true
	}
	for _, suite := range All() {
		for _, e := range suite.Spare {
			if table[e.NodePort] {
				t.Errorf("suite %s: spare port %d is in the table", suite.Name, e.NodePort)
			}
		}
		for _, e := range suite.Endpoints {
			if !table[e.NodePort] {
				t.Errorf("suite %s: endpoint %s uses port %d, which is not in the table", suite.Name, e.Name, e.NodePort)
			}
		}
	}
}

func TestEachWorkloadIsOneReplicaOfItsOwnImage(t *testing.T) {
	for _, suite := range All() {
		m := readManifests(t, suite)
		var want []string
		for _, w := range suite.Workloads {
			want = append(want, w.Name)
		}
		got := slices.Sorted(maps.Keys(m.deployments))
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("suite %s: manifests deploy %v, the declaration names %v", suite.Name, got, want)
		}
		for name, d := range m.deployments {
			// The specs read counters and logs of the one pod that there is.
			if d.Spec.Replicas == nil || *d.Spec.Replicas != 1 {
				t.Errorf("%s: replicas are %v, want exactly 1", name, d.Spec.Replicas)
			}
			if got := d.Labels["app.kubernetes.io/name"]; got != name {
				t.Errorf("%s: label app.kubernetes.io/name is %q", name, got)
			}
			containers := d.Spec.Template.Spec.Containers
			if len(containers) != 1 || containers[0].Image != "hybrid.local/"+name {
				t.Errorf("%s: want one container with image hybrid.local/%s, got %+v", name, name, containers)
				continue
			}
			// Pulling would replace what was loaded by what a registry has.
			if containers[0].ImagePullPolicy != corev1.PullNever {
				t.Errorf("%s: imagePullPolicy is %q, want Never", name, containers[0].ImagePullPolicy)
			}
		}
	}
}

func TestEveryImageIsDeployed(t *testing.T) {
	for _, suite := range All() {
		used := map[string]bool{}
		for _, d := range readManifests(t, suite).deployments {
			for _, c := range d.Spec.Template.Spec.Containers {
				used[strings.TrimPrefix(c.Image, "hybrid.local/")] = true
			}
		}
		declared := map[string]bool{}
		for _, image := range suite.Images {
			declared[image.Name] = true
		}
		if !maps.Equal(used, declared) {
			t.Errorf("suite %s: manifests use images %v, the declaration builds %v", suite.Name, used, declared)
		}
	}
}

func TestSecretsAreDeclaredAndNeverWrittenDown(t *testing.T) {
	for _, suite := range All() {
		m := readManifests(t, suite)
		if len(m.secrets) != 0 {
			t.Errorf("suite %s: manifests hold secrets %v", suite.Name, m.secrets)
		}
		mounted := map[string]bool{}
		for name, d := range m.deployments {
			for _, volume := range d.Spec.Template.Spec.Volumes {
				if volume.Secret != nil {
					mounted[volume.Secret.SecretName] = true
				}
			}
			for _, c := range d.Spec.Template.Spec.Containers {
				for _, e := range c.Env {
					if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
						t.Errorf("%s: %s comes from a secret by environment, want a file", name, e.Name)
					}
				}
			}
		}
		declared := map[string]bool{}
		for _, s := range suite.Secrets {
			declared[s.Name] = true
		}
		if !maps.Equal(mounted, declared) {
			t.Errorf("suite %s: manifests mount secrets %v, the declaration has %v", suite.Name, mounted, declared)
		}
	}
}

func TestEverythingLivesInTheNamespaceOfTheSuite(t *testing.T) {
	for _, suite := range All() {
		m := readManifests(t, suite)
		if _, ok := m.namespaces[suite.Namespace]; !ok {
			t.Errorf("suite %s: no manifest creates namespace %s", suite.Name, suite.Namespace)
		}
		for name, d := range m.deployments {
			if d.Namespace != suite.Namespace {
				t.Errorf("deployment %s lives in %q, want %q", name, d.Namespace, suite.Namespace)
			}
		}
		for name, s := range m.services {
			if s.Namespace != suite.Namespace {
				t.Errorf("service %s lives in %q, want %q", name, s.Namespace, suite.Namespace)
			}
		}
	}
}

func TestFloorsNamePackagesThatExist(t *testing.T) {
	for _, suite := range All() {
		for path, floor := range suite.Floors {
			if _, err := os.Stat(filepath.Join(repository, path)); err != nil {
				t.Errorf("suite %s: floor for %s, which does not exist", suite.Name, path)
			}
			if floor <= 0 || floor > 100 {
				t.Errorf("suite %s: floor of %s is %v percent", suite.Name, path, floor)
			}
		}
	}
}
