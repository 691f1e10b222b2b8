package bench

import (
	"context"
	"net"
	"net/http"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// requestTimeout is longer than the Gateway works on any request, so that every
// request gets an answer to be counted by.
const requestTimeout = 35 * time.Second

// load is one kind of requests at one rate.
type load struct {
	name     string
	rate     int
	duration time.Duration
	targets  vegeta.Targeter
}

// attack sends the load, or as much of it as there are targets, and hands each answer
// to receive, which is called by one goroutine at a time. It returns when all answers are in, or soon after ctx has ended.
func (l load) attack(ctx context.Context, connections int, receive func(*vegeta.Result)) error {
	attacker := vegeta.NewAttacker(
		vegeta.Client(&http.Client{
			Timeout: requestTimeout,
			// The services never redirect; if one does, it is an error.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			// No proxy: the address is this machine's own.
			Transport: &http.Transport{
				DialContext:         (&net.Dialer{Timeout: answerBudget}).DialContext,
				MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections,
			},
		}),
		vegeta.Workers(uint64(connections)), vegeta.MaxWorkers(uint64(connections)), //nolint:gosec // It is bounded, see Options.
	)
	stop := context.AfterFunc(ctx, func() { attacker.Stop() })
	defer stop()
	for result := range attacker.Attack(l.targets, vegeta.Rate{Freq: l.rate, Per: time.Second}, l.duration, "") {
		if result.Error != vegeta.ErrNoTargets.Error() {
			receive(result)
		}
	}
	return context.Cause(ctx)
}
