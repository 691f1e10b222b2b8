// Package chaos tries what a run does when it is stopped or something under it breaks:
// real mage processes, real signals, real clusters, in a small generated repository.
// Each trial notes what the user was told, what was left and for how long; `mage chaos`
// shows that as a table.
//
// The trials that need no cluster are part of the unit tests, the others have the build
// tag chaos.
package chaos
