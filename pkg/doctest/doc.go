// Package doctest reads what a page of documentation claims, its tables, its
// headings and its examples, and what the sources say, so that tests can compare
// the two. It knows no service. Only tests import it.
package doctest
