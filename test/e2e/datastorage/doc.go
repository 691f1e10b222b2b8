// Package datastorage holds the E2E specs of DataStorage. They run against a real
// cluster and know the contract only: URLs, JSON, metric names, and for the faults
// the two stores themselves. They import nothing of the service.
//
// Events of a spec have correlation ids of its own, so that specs run side by side in
// one table. What disturbs a store or the service uses an instance of its own, see
// instance.go; there the whole table is compared with what was accepted.
package datastorage
