package apiserver

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
)

func TestWithoutProgramsTheFakeIsTheOnlyOne(t *testing.T) {
	t.Setenv(Assets, "")
	all := All(t)
	if len(all) != 1 || all[0].Name != "fake client" || all[0].Config != nil {
		t.Errorf("got %+v", all)
	}
}

func TestProgramsThatDoNotStartAreAnError(t *testing.T) {
	folder := t.TempDir()
	t.Setenv(Assets, folder) // envtest looks there first.
	for _, name := range []string{"etcd", "kube-apiserver"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\nexit 3\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := start(t, folder); err == nil || !strings.Contains(err.Error(), "start the API server: ") {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestTheFakeFindsRequestsByFingerprint(t *testing.T) {
	api := Fake(t)
	api.Namespace(t, "shop")
	for _, name := range []string{"a", "b"} {
		request := &v1alpha1.RemediationRequest{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop"},
			Spec:       v1alpha1.RemediationRequestSpec{SignalFingerprint: name + name},
		}
		if err := api.Client.Create(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	}
	var found v1alpha1.RemediationRequestList
	if err := api.Client.List(t.Context(), &found, client.MatchingFields{v1alpha1.SignalFingerprintField: "bb"}); err != nil {
		t.Fatal(err)
	}
	if len(found.Items) != 1 || found.Items[0].Name != "b" || len(api.Requests(t, "shop")) != 2 || len(api.Requests(t, "other")) != 0 {
		t.Errorf("found %+v", found.Items)
	}
}

// TestOnlyTheRealOneKnowsTheSchema is why tests should not be content with the fake.
func TestOnlyTheRealOneKnowsTheSchema(t *testing.T) {
	for _, api := range All(t) {
		api.Namespace(t, "shop")
		err := api.Client.Create(t.Context(), &v1alpha1.RemediationRequest{ObjectMeta: metav1.ObjectMeta{Name: "empty", Namespace: "shop"}})
		if refused, schema := apierrors.IsInvalid(err), api.Config != nil; refused != schema {
			t.Errorf("%s: an empty request: %v", api.Name, err)
		}
	}
}

func TestTheDefinitionsAreThere(t *testing.T) {
	if found, err := filepath.Glob(filepath.Join(crds(), "*.yaml")); err != nil || len(found) != 1 {
		t.Errorf("found %v, %v", found, err)
	}
}
