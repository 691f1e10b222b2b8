//go:build mage

// Package main has the targets of Hybrid.
package main

//mage:import
import _ "github.com/hybrid-e2e/hybrid/targets"
