package receipt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sandglass/adapters/httpapi/client"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/watch"
)

// How often a receipt is asked for that there is not yet, where the daemon does not say when.
const (
	askEvery  = 2 * time.Second
	mostPause = 10 * time.Second
)

// wait asks for a receipt until there is one, for at most so long: 0 asks once. Another error than that there is none
// yet ends it.
func wait(ctx context.Context, most time.Duration, p show.Progress, get func(context.Context) (string, error)) (string, error) {
	begun := time.Now()
	defer p.Done()
	for told := false; ; told = true {
		text, err := get(ctx)
		why := client.Code(err)
		if err == nil || why != "not_signed_yet" && why != "no_receipt" || most == 0 {
			return text, err
		}
		left := most - time.Since(begun)
		if left <= 0 {
			return "", fmt.Errorf("waited for %s: %w", most, err)
		}
		if !told {
			p.Log("there is no receipt yet: waiting for up to %s", most)
		}
		p.Draw("%s: %s of %s", map[string]string{
			"not_signed_yet": "waiting until the log is signed with its event in it", "no_receipt": "waiting until the money has come",
		}[why], time.Since(begun).Round(time.Second), most)
		if !watch.Pause(ctx, min(left, pause(err))) {
			return "", ctx.Err()
		}
	}
}

// pause is how long the daemon says that it takes, within bounds.
func pause(err error) time.Duration {
	if p, ok := errors.AsType[*client.Problem](err); ok && p.RetryAfter > 0 {
		return min(p.RetryAfter, mostPause)
	}
	return askEvery
}
