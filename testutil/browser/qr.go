package browser

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// ReadQR returns what the QR codes on a picture say, as zbarimg reads them.
func ReadQR(ctx context.Context, png []byte) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	if _, err := exec.LookPath("zbarimg"); err != nil {
		return nil, errors.New("no zbarimg: apt-get install zbar-tools")
	}
	cmd := exec.CommandContext(ctx, "zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", "png:-")
	cmd.Stdin = bytes.NewReader(png)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("zbarimg read no QR code: %w %s", err, said.Bytes())
	}
	return strings.Fields(string(out)), nil
}
