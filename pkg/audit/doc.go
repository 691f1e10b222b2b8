// Package audit owns the record of what a service did: the form of the events, and their
// way to DataStorage. It never delays the work of the service. Events wait
// in a bounded buffer while DataStorage is away, and each carries an id of its
// own, so that sending it again does not store it twice.
package audit
