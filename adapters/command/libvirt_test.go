package command_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/adapters/command"
	"sandglass/domain/enforce"
)

// TestLibvirt has the enforcer talk to libvirt's own test driver, by the real virsh. Its domains
// live as long as one virsh does, so that each call of the script's goes to one that stays.
func TestLibvirt(t *testing.T) {
	if _, err := exec.LookPath("virsh"); err != nil {
		t.Skip("there is no virsh here: apt-get install libvirt-clients")
	}
	v := startVirsh(t)
	domains := t.TempDir()
	e, _ := readyMade(t, "libvirt", "ENFORCER_LIBVIRT_DOMAINS="+domains, "ENFORCER_LIBVIRT_URI=test:///default",
		"ENFORCER_LIBVIRT_POOL=default-pool", "ENFORCER_TEST_SOCKET="+v.socket, "PATH="+v.bin+":"+os.Getenv("PATH"))
	w := &enforce.Want{ID: "vm-7", Enforcer: "libvirt", Plan: "small"}
	is(t, e, w, enforce.Gone)
	if err := e.Do(within(t, limit), enforce.Start, w); !errors.Is(err, enforce.ErrRefused) {
		t.Errorf("without a domain: %v", err)
	}
	xml := "<domain type='test'><name>@ID@</name><memory>1024</memory><os><type>hvm</type></os></domain>"
	if err := os.WriteFile(filepath.Join(domains, "small.xml"), []byte(xml), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := e.Do(within(t, limit), enforce.Start, w); err == nil || errors.Is(err, enforce.ErrRefused) {
		t.Errorf("without a volume to copy: %v", err)
	}
	v.do(t, "vol-create-as default-pool small 1M")
	up := must(t, e, enforce.Start, w)
	if again := must(t, e, enforce.Start, w); again != up || up.Invocation == "" {
		t.Errorf("%+v, then %+v", up, again)
	}
	v.do(t, "suspend vm-7")
	if s := is(t, e, w, enforce.Down); s.Why != "paused" {
		t.Errorf("%+v", s)
	}
	must(t, e, enforce.Start, w)
	must(t, e, enforce.Stop, w)
	must(t, e, enforce.Stop, w)
	if s := must(t, e, enforce.Start, w); s.Invocation == up.Invocation {
		t.Errorf("%+v is the run of before", s)
	}
	must(t, e, enforce.Remove, w)
	must(t, e, enforce.Remove, w)
	left := v.do(t, "list --all --name") + v.do(t, "vol-list default-pool")
	if strings.Contains(left, "vm-7") || !strings.Contains(left, "small") {
		t.Errorf("it leaves %q", left)
	}
	none := command.New(command.Options{Dir: filepath.Dir(domains)})
	if _, err := none.Status(within(t, limit), w); !errors.Is(err, enforce.ErrRefused) {
		t.Error(err)
	}
	v.close(t)
	if s, err := e.Status(within(t, limit), w); err == nil {
		t.Errorf("without libvirt it is %+v", s)
	}
}

// virsh is one that stays, and a program of that name that hands its arguments to it.
type virsh struct {
	bin, socket string
	calls       chan call
	listener    net.Listener
	done        chan error
}

type call struct {
	line  string
	reply chan reply
}

type reply struct{ out, failed string }

func startVirsh(t *testing.T) *virsh {
	dir := t.TempDir()
	v := &virsh{bin: dir, socket: filepath.Join(dir, "socket"), calls: make(chan call), done: make(chan error, 2)}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "virsh")); err != nil {
		t.Fatal(err)
	}
	if v.listener, err = net.Listen("unix", v.socket); err != nil {
		t.Fatal(err)
	}
	real := exec.Command("virsh", "--quiet", "--connect", "test:///default")
	in, err1 := real.StdinPipe()
	out, err2 := real.StdoutPipe()
	failed, err3 := real.StderrPipe()
	if err := errors.Join(err1, err2, err3, real.Start()); err != nil {
		t.Fatal(err)
	}
	go func() {
		stdout, stderr := bufio.NewReader(out), bufio.NewReader(failed)
		for c := range v.calls {
			// What it reads is printed too, in which the marks are not what they print.
			fmt.Fprintf(in, "%s\necho --err 'E'ND\necho ''\necho 'E'ND\necho ''\n", c.line)
			c.reply <- reply{upTo(stdout, "END"), upTo(stderr, "error: END")}
		}
		in.Close()
		v.done <- real.Wait()
	}()
	go func() {
		for {
			conn, err := v.listener.Accept()
			if err != nil {
				v.done <- nil
				return
			}
			line, _ := bufio.NewReader(conn).ReadString('\n')
			r := v.ask(line[:max(0, len(line)-1)])
			fmt.Fprintf(conn, "%d\n%s%s", len(r.failed), r.failed, r.out)
			conn.Close()
		}
	}()
	return v
}

// upTo reads the lines before one that begins with mark, without those that are virsh's prompts.
func upTo(r *bufio.Reader, mark string) (text string) {
	for {
		line, err := r.ReadString('\n')
		if err != nil || strings.HasPrefix(line, mark) {
			return text
		}
		if !strings.HasPrefix(line, "virsh # ") {
			text += line
		}
	}
}

func (v *virsh) ask(line string) reply {
	c := call{line, make(chan reply)}
	v.calls <- c
	return <-c.reply
}

func (v *virsh) do(t *testing.T, line string) string {
	t.Helper()
	r := v.ask(line)
	if r.failed != "" {
		t.Fatalf("virsh %s: %s", line, r.failed)
	}
	return r.out
}

func (v *virsh) close(t *testing.T) {
	v.listener.Close()
	close(v.calls)
	if err := errors.Join(<-v.done, <-v.done); err != nil {
		t.Error(err)
	}
}

// asVirsh is the program that hands its arguments on, and returns its exit status.
func asVirsh() int {
	if len(os.Args) < 4 || os.Args[1] != "--quiet" || os.Args[2] != "--connect" || os.Args[3] != "test:///default" {
		fmt.Fprintf(os.Stderr, "virsh was called with %q\n", os.Args)
		return 1
	}
	conn, err := net.Dial("unix", os.Getenv("ENFORCER_TEST_SOCKET"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for i, arg := range os.Args[4:] {
		os.Args[4+i] = "'" + arg + "'"
	}
	fmt.Fprintln(conn, strings.Join(os.Args[4:], " "))
	r := bufio.NewReader(conn)
	var n int64
	if _, err := fmt.Fscanf(r, "%d\n", &n); err != nil {
		return 1
	}
	io.CopyN(os.Stderr, r, n)
	io.Copy(os.Stdout, r)
	if n > 0 {
		return 1
	}
	return 0
}
