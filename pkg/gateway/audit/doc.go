// Package audit owns the record of what the Gateway did: the events, and their way
// to DataStorage. It never delays or changes the answer to a sender. Events wait
// in a bounded buffer while DataStorage is away, and each carries an id of its
// own, so that sending it again does not store it twice.
package audit
