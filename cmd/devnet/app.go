package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// appCommand is the application server that the tour rents out: a resource of the keeper's.
func appCommand() *cobra.Command {
	var addressFile, alive string
	cmd := &cobra.Command{
		Use:    "app",
		Short:  "Serve what is rented out: a page that says whose it is",
		Hidden: true, // the keeper's enforcer starts it
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithCancel(cmd.Context())
			defer cancel()
			owner, err := os.Open(alive) // at once, since its writer has it open
			if err != nil {
				return err
			}
			go func() {
				_, _ = owner.Read(make([]byte, 1)) // nobody writes: it returns when the writer is gone
				cancel()
			}()
			return serveApp(ctx, addressFile)
		},
	}
	cmd.Flags().StringVar(&addressFile, "address-file", "", "the `file` that says where it answers")
	cmd.Flags().StringVar(&alive, "while", "", "a `FIFO`: it ends when nobody has it open for writing")
	return cmd
}

// serveApp answers on a port of the loopback until ctx ends: then it answers no more at once.
func serveApp(ctx context.Context, addressFile string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%s %d is yours, on the plan %s\n",
		os.Getenv("SANDGLASS_RESOURCE"), os.Getpid(), os.Getenv("SANDGLASS_PLAN"))
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, text)
		}),
		ReadHeaderTimeout: 5 * time.Second,
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := writeWhole(addressFile, []byte("http://"+l.Addr().String()+"\n")); err != nil {
		return errors.Join(err, l.Close())
	}
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
