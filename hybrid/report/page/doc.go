// Package page owns report.html: one file that shows a whole run to people, without
// anything from elsewhere, and works where nothing may be fetched and no script runs.
package page
