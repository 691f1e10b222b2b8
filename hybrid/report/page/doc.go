// Package page owns report.html: one file that shows a whole run to people, without
// anything from elsewhere, and works where nothing may be fetched and no script runs.
//
// The tests that open it in a browser have the build tag browser; `mage browser` runs them.
package page
