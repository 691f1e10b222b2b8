// Package load owns bringing images onto the nodes of a Kind cluster: a node image
// that starts with those that seldom change, and one archive of what is missing,
// written once by the engine and streamed into every node at the same time, without a
// temporary file and without the layers that the nodes have. Each node then proves
// that it holds exactly the image that the engine has.
package load
