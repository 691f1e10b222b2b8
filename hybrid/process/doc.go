// Package process owns what is known about processes beyond their id: which one
// it is, also after the id was given to another, whether it is alive, and which run
// started it. It sees to it that the processes of a run end with the run, however
// that ends.
package process
