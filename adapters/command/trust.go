package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxLinks is how many symbolic links are followed, as by the kernel.
const maxLinks = 40

// trusted returns the file that an absolute path leads to, if it is an executable and nobody but
// root and this process's own user can have made or can change it: neither it, nor a folder or a
// symbolic link on the way to it. A folder such as /tmp, in which all may make files, but only
// rename and remove their own, may be on the way, but not hold the file.
func trusted(path string) (string, error) {
	rest := strings.Split(filepath.Clean(path), "/")[1:]
	at, links := "/", 0
	if err := ours("/", true); err != nil {
		return "", err
	}
	for len(rest) > 0 {
		next := filepath.Join(at, rest[0])
		rest = rest[1:]
		target, err := os.Readlink(next)
		switch {
		case err == nil: // who could have made the link was asked of its folder, and its owner now
			if links++; links > maxLinks {
				return "", fmt.Errorf("%s: too many symbolic links", path)
			}
			if filepath.IsAbs(target) {
				at = "/"
			}
			rest = append(strings.Split(strings.TrimPrefix(filepath.Clean(target), "/"), "/"), rest...)
		case errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("there is no %s", next)
		default:
			at = next
		}
		if err := ours(next, len(rest) > 1); err != nil {
			return "", err
		}
	}
	info, err := os.Stat(at)
	if err == nil && (!info.Mode().IsRegular() || info.Mode()&0o111 == 0) {
		err = fmt.Errorf("%s is no executable: chmod 755 it", at)
	}
	return at, err
}

// ours returns nil if root or this process's user owns a file, and nobody else may write to it.
// What is sticky may be written to if that is allowed.
func ours(path string, sticky bool) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	owner := int(info.Sys().(*syscall.Stat_t).Uid)
	if owner != 0 && owner != os.Geteuid() {
		return fmt.Errorf("%s belongs to the user %d, who could write to it: chown root it", path, owner)
	}
	mode := info.Mode()
	if mode&fs.ModeSymlink != 0 || mode&0o022 == 0 || sticky && mode.IsDir() && mode&fs.ModeSticky != 0 {
		return nil
	}
	return fmt.Errorf("%s can be written to by others (%s): chmod go-w it", path, mode)
}
