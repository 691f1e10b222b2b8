// Package recorder owns the write path: events go to PostgreSQL, and when that is not
// possible to the queue. It decides which of the two has them in the end, and it does
// so in bounded time.
package recorder
