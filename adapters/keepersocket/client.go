package keepersocket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"sandglass/domain/enforce/access"
)

// slack is how much longer than an enforcer has time a daemon waits for its keeper.
const slack = 2 * time.Second

// Ask returns how a resource is reached, by the keeper that listens at a path. Otherwise the error is
// one of package access: [access.ErrNoKeeper] if nobody answers, or what answers is not understood.
func Ask(ctx context.Context, path, id string) (string, error) {
	text, err := ask(ctx, path, id)
	for _, known := range codes {
		if errors.Is(err, known) {
			return "", err
		}
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", access.ErrNoKeeper, err)
	}
	return text, nil
}

func ask(ctx context.Context, path, id string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, access.MaxTime+slack)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return "", err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	// One that is busy answers before it has read the request, and hangs up.
	wrote := writeLine(c, request{Access: id})
	line, err := readLine(c, maxAnswer)
	if err != nil {
		return "", errors.Join(wrote, err, context.Cause(ctx))
	}
	return parseAnswer(line)
}
