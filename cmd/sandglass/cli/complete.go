package cli

import (
	"context"
	"time"

	"sandglass/adapters/httpapi/client"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/money"

	"github.com/spf13/cobra"
)

// completeTime is how long a shell is kept waiting for names.
const completeTime = time.Second

// CompletePlans completes the first argument with the names of plans.
func (e *Env) CompletePlans(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return e.complete(cmd, args, func(ctx context.Context) (names []string, err error) {
		cl, err := e.Client(Anyone)
		if err != nil {
			return nil, err
		}
		plans, err := cl.Plans(ctx)
		for _, p := range plans {
			names = append(names, cobra.CompletionWithDesc(p.Name, show.Price(money.Price(p.Price))))
		}
		return names, err
	})
}

// CompleteResources completes the first argument with the ids of resources, which the
// daemon tells an operator.
func (e *Env) CompleteResources(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	return e.complete(cmd, args, func(ctx context.Context) (ids []string, err error) {
		cl, err := e.Client(Operator)
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

// CompleteUnallocated completes the first argument with the keys of payments.
func (e *Env) CompleteUnallocated(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	return e.complete(cmd, args, func(ctx context.Context) (keys []string, err error) {
		cl, err := e.Client(Operator)
		if err != nil {
			return nil, err
		}
		page, err := cl.Unallocated(ctx, before(typed), 0)
		for _, p := range page.Payments {
			keys = append(keys, cobra.CompletionWithDesc(p.Key, show.Amount(p.Amount)))
		}
		return keys, err
	})
}

// CompleteWallets completes the first argument with the nodes that can be retired.
func (e *Env) CompleteWallets(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return e.complete(cmd, args, func(ctx context.Context) (nodes []string, err error) {
		cl, err := e.Client(Operator)
		if err != nil {
			return nil, err
		}
		list, err := cl.Wallets(ctx)
		for _, w := range list.Wallets {
			if !w.Served && w.Retired == 0 {
				nodes = append(nodes, w.Node)
			}
		}
		return nodes, err
	})
}

// CompleteFlag completes the value of a flag as a first argument is.
func CompleteFlag(first cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return first(cmd, nil, typed)
	}
}

func (e *Env) complete(
	cmd *cobra.Command, args []string, names func(context.Context) ([]string, error),
) ([]string, cobra.ShellCompDirective) {
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
