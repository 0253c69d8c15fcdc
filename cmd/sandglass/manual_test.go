package main

import (
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"sandglass/cmd/sandglass/cli"

	"github.com/spf13/cobra"
)

// TestCommandsOfTheManual holds each command line that the documents and the help texts give
// against the commands that there are: their flags, and, where the line is whole, their
// arguments.
func TestCommandsOfTheManual(t *testing.T) {
	for _, path := range []string{"README.md", "SECURITY.md", "systemd/MANUAL.md"} {
		text, err := os.ReadFile("../../" + path)
		if err != nil {
			t.Fatal(err)
		}
		if holdCommands(t, path, string(text)) == 0 {
			t.Errorf("%s has no command line", path)
		}
	}
	holdExamples(t, rootCmd(&cli.Env{Stdout: io.Discard, Stderr: io.Discard}))
}

func holdExamples(t *testing.T, cmd *cobra.Command) {
	switch cmd.Name() {
	case "completion", "help": // cobra's own
		return
	}
	examples := strings.ReplaceAll(cmd.Example, "\n", "\n  ")
	if holdCommands(t, cmd.CommandPath()+" --help", "    "+examples) == 0 {
		t.Errorf("%s has no example that is a command", cmd.CommandPath())
	}
	for _, sub := range cmd.Commands() {
		holdExamples(t, sub)
	}
}

var (
	continued   = regexp.MustCompile(`\\\n`)
	inline      = regexp.MustCompile("`[^`\n]+`")
	substituted = regexp.MustCompile(`\$\([^)]*\)|"[^"]*"`)
	call        = regexp.MustCompile(`(?:^ *|= ?|&& |; |\S+='?\S+ +|-- env \S+ |^|\x60)sandglass ([^|;)<>#&\x60]+)`)
)

// holdCommands checks each call of sandglass in text, in blocks of code and in sentences, and
// returns how many there were.
func holdCommands(t *testing.T, where, text string) (n int) {
	t.Helper()
	for line := range strings.Lines(continued.ReplaceAllString(text, " ")) {
		block := strings.HasPrefix(line, "    ")
		parts := []string{line}
		if !block {
			parts = inline.FindAllString(line, -1)
		}
		for _, part := range parts {
			for _, found := range call.FindAllStringSubmatch(substituted.ReplaceAllString(part, "1"), -1) {
				holdCommand(t, where, found[1], block)
				n++
			}
		}
	}
	return n
}

// holdCommand parses one call as main does. One of a sentence may lack its arguments.
func holdCommand(t *testing.T, where, line string, whole bool) {
	t.Helper()
	var words []string
	for _, word := range strings.Fields(line) {
		if word = strings.Trim(word, `'"`); word == "…" {
			whole = false
			continue
		}
		words = append(words, word)
	}
	if words[0] == strings.ToUpper(words[0]) {
		return // it stands for any command
	}
	cmd, rest, err := rootCmd(&cli.Env{Stdout: io.Discard, Stderr: io.Discard}).Find(words)
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	switch args := cmd.Flags().Args(); {
	case err != nil:
	case cmd.HasSubCommands() && len(args) > 0:
		err = cmd.RunE(cmd, args)
	case whole && !cmd.HasSubCommands():
		err = cmd.ValidateArgs(args)
	}
	if err != nil {
		t.Errorf("%s: sandglass %s: %v", where, line, err)
	}
}
