// Package process owns what is known about processes beyond their id: which one
// it is, also after the id was given to another, and whether it is alive.
package process
