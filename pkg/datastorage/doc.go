// Package datastorage assembles the DataStorage service from its parts: it opens the
// listeners, runs the watch over PostgreSQL and the worker of the queue, and stops all
// of it in the right order. The parts live in the packages below.
package datastorage
