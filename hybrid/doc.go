// Package hybrid takes a Kubernetes service repository from sources to "tested
// in a real cluster, with coverage": it builds all images in parallel, creates
// a Kind cluster only once they exist, loads them, deploys stores and services
// in parallel, runs the Ginkgo specs and brings coverage, evidence and a report
// home. It knows no service by name: a [Suite] declares them, a [Run] does it.
//
// Data flows one way: suite declaration → images → cluster → nodes hold the
// images → workloads ready → test results → coverage, evidence, report.
package hybrid
