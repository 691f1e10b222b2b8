// Package v1alpha1 owns the RemediationRequest, the object in which the Gateway
// stores each problem that it was told about. The CustomResourceDefinition in
// manifests/crds and the deep copies are generated from these types.
//
// +kubebuilder:object:generate=true
// +groupName=kubernaut.ai
package v1alpha1

//go:generate go tool -modfile=../../../tools/go.mod controller-gen crd object paths=. output:crd:dir=../../../manifests/crds
