package infrastructure

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/hybrid-e2e/hybrid/hybrid/deploy"
)

// rights takes the ClusterRoles of manifests apart into rights of one verb on one thing.
func rights(t *testing.T, folder string) map[string]bool {
	t.Helper()
	objects, err := deploy.Load("../..", folder)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, o := range objects {
		var role rbacv1.ClusterRole
		if o.GetKind() != "ClusterRole" {
			continue
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &role); err != nil {
			t.Fatal(err)
		}
		for _, rule := range role.Rules {
			for _, verb := range rule.Verbs {
				for _, url := range rule.NonResourceURLs {
					all[verb+" "+url] = true
				}
				for _, group := range rule.APIGroups {
					for _, resource := range rule.Resources {
						all[fmt.Sprintf("%s %s/%s", verb, group, resource)] = true
					}
				}
			}
		}
	}
	return all
}

// TestTheRunnerMayGiveTheServicesTheirRights: Kubernetes lets nobody give a right that he
// does not have.
func TestTheRunnerMayGiveTheServicesTheirRights(t *testing.T) {
	runner := rights(t, "manifests/runner")
	folders, err := filepath.Glob("../../manifests/*/rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	given := 0
	for _, file := range folders {
		folder := filepath.Base(filepath.Dir(file))
		var missing []string
		for right := range rights(t, "manifests/"+folder) {
			given++
			if !runner[right] {
				missing = append(missing, right)
			}
		}
		slices.Sort(missing)
		if len(missing) > 0 {
			t.Errorf("manifests/runner lacks what %s is given: %q", folder, missing)
		}
	}
	if given <= len(runner) {
		t.Errorf("%d rights of %d folders were looked at, those of the runner alone are %d", given, len(folders), len(runner))
	}
}
