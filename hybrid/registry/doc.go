// Package registry owns the way of images between the engine and a registry that the
// machines of an organisation share. An image keeps its content key there:
// hybrid.local/<name>:<key> is <registry>/<name>:<key>.
package registry
