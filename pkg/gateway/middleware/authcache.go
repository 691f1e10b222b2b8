package middleware

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// maxDecisions bounds the cache, in entries, against a sender that tries tokens.
const maxDecisions = 4096

// maxRefusalTTL bounds how long a refusal is remembered, so that a permission
// that was just granted works soon.
const maxRefusalTTL = time.Second

// CachedAuthorizer remembers the decisions of another authorizer for a while, and
// asks it only once for the same question at the same time. Make one with
// NewCachedAuthorizer.
type CachedAuthorizer struct {
	inner   Authorizer
	ttl     time.Duration
	timeout time.Duration
	now     func() time.Time
	asking  singleflight.Group

	mu        sync.Mutex
	decisions map[question]remembered
}

// question is the hash of token, verb and path: the token itself is not kept.
type question [sha256.Size]byte

type remembered struct {
	decision Decision
	until    time.Time
}

// NewCachedAuthorizer remembers what inner decides for ttl, refusals for at most
// a second. The timeout bounds one question to inner. Errors are not remembered.
func NewCachedAuthorizer(inner Authorizer, ttl, timeout time.Duration, now func() time.Time) *CachedAuthorizer {
	return &CachedAuthorizer{
		inner: inner, ttl: ttl, timeout: timeout, now: now, decisions: make(map[question]remembered),
	}
}

// Authorize implements Authorizer.
func (c *CachedAuthorizer) Authorize(ctx context.Context, token, verb, path string) (Decision, error) {
	key := question(sha256.Sum256([]byte(verb + " " + path + " " + token)))
	if decision, known := c.recall(key); known {
		return decision, nil
	}
	answer, err, _ := c.asking.Do(string(key[:]), func() (any, error) {
		// Others wait for the same answer, so it must not depend on the sender
		// that happened to ask first.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
		defer cancel()
		decision, err := c.inner.Authorize(ctx, token, verb, path)
		if err == nil {
			c.remember(key, decision)
		}
		return decision, err
	})
	if err != nil {
		return Unauthenticated, err
	}
	decision, _ := answer.(Decision) // The zero value lets nobody in.
	return decision, nil
}

func (c *CachedAuthorizer) recall(key question) (Decision, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry, found := c.decisions[key]
	if !found || !c.now().Before(entry.until) {
		return Unauthenticated, false
	}
	return entry.decision, true
}

func (c *CachedAuthorizer) remember(key question, decision Decision) {
	ttl := c.ttl
	if decision != Allowed {
		ttl = min(ttl, maxRefusalTTL)
	}
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.decisions) >= maxDecisions {
		c.shrink(now)
	}
	c.decisions[key] = remembered{decision: decision, until: now.Add(ttl)}
}

// shrink makes room: first what has expired goes, then, if that is not enough,
// an arbitrary half. A forgotten decision costs one more question.
func (c *CachedAuthorizer) shrink(now time.Time) {
	for key, entry := range c.decisions {
		if !now.Before(entry.until) {
			delete(c.decisions, key)
		}
	}
	for key := range c.decisions {
		if len(c.decisions) < maxDecisions/2 {
			return
		}
		delete(c.decisions, key)
	}
}
