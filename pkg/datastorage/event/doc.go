// Package event owns the audit event: its JSON form, the rules that an event must
// meet before it is accepted, and the bounds that the table shares with those rules.
package event
