// Package sample generates small repositories that Hybrid can test: for measurements
// and trials that want less than the services of this one.
package sample
