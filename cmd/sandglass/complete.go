package main

import (
	"context"
	"time"

	"sandglass/adapters/httpapi/client"

	"github.com/spf13/cobra"
)

// completeTime is how long a shell is kept waiting for names.
const completeTime = time.Second

// completePlans completes the first argument with the names of plans.
func (c *cli) completePlans(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return c.complete(cmd, args, func(ctx context.Context) (names []string, err error) {
		cl, err := c.client(anyone)
		if err != nil {
			return nil, err
		}
		plans, err := cl.Plans(ctx)
		for _, p := range plans {
			names = append(names, cobra.CompletionWithDesc(p.Name, price(p.Price)))
		}
		return names, err
	})
}

// completeResources completes the first argument with the ids of resources, which the
// daemon tells an operator.
func (c *cli) completeResources(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	return c.complete(cmd, args, func(ctx context.Context) (ids []string, err error) {
		cl, err := c.client(operator)
		if err != nil {
			return nil, err
		}
		page, err := cl.Resources(ctx, before(typed), 0, client.Filter{})
		for _, r := range page.Resources {
			ids = append(ids, cobra.CompletionWithDesc(r.ID, r.Status))
		}
		return ids, err
	})
}

// before returns an id that sorts before all that begin with typed.
func before(typed string) string {
	if typed == "" {
		return ""
	}
	last := len(typed) - 1
	return typed[:last] + string(typed[last]-1) + "~"
}

// completeUnallocated completes the first argument with the keys of payments.
func (c *cli) completeUnallocated(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	return c.complete(cmd, args, func(ctx context.Context) (keys []string, err error) {
		cl, err := c.client(operator)
		if err != nil {
			return nil, err
		}
		page, err := cl.Unallocated(ctx, before(typed), 0)
		for _, p := range page.Payments {
			keys = append(keys, cobra.CompletionWithDesc(p.Key, showAmount(p.Amount)))
		}
		return keys, err
	})
}

func (c *cli) complete(cmd *cobra.Command, args []string, names func(context.Context) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTime)
	defer cancel()
	found, err := names(ctx)
	if err != nil {
		cobra.CompDebugln(err.Error(), false)
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}
