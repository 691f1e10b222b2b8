// Names the Alertmanager that the image is built from. Its own go.mod and go.sum,
// which the checksum beside this file covers, pin everything else. Nothing here
// imports it, so "go mod tidy" would remove the line.
module github.com/hybrid-e2e/hybrid/docker/alertmanager

go 1.26.0

require github.com/prometheus/alertmanager v0.34.2
