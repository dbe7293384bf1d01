package check

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/maptypes"
)

// identity is what a process is in service when it opens a table.
type identity struct {
	User      string // whose rights it has; "" for those of this process
	Root      string // root directory; "" for the usual one
	UID, GID  int
	Groups    []int
	Overrides []config.Override // options -o
}

// identityOf looks up a user. The name "" is for the superuser.
func identityOf(name string) (identity, error) {
	id := identity{User: name}
	u, err := user.Lookup(name)
	if errors.As(err, new(user.UnknownUserError)) {
		return id, fmt.Errorf("unknown user: %s", name)
	}
	if err != nil {
		return id, fmt.Errorf("look up user %s: %w", name, err)
	}
	groups, err := u.GroupIds()
	if err != nil {
		return id, fmt.Errorf("look up the groups of user %s: %w", name, err)
	}
	for _, text := range append([]string{u.Uid, u.Gid}, groups...) {
		n, err := strconv.Atoi(text)
		if err != nil {
			return id, fmt.Errorf("user %s: %w", name, err)
		}
		id.Groups = append(id.Groups, n)
	}
	id.UID, id.GID, id.Groups = id.Groups[0], id.Groups[1], id.Groups[2:]
	return id, nil
}

// mine reports whether this process has the rights already, or cannot have others.
func (id *identity) mine() bool {
	return id.User == "" && id.Root == "" || os.Geteuid() != 0
}

// key tells identities apart.
func (id *identity) key() string {
	return fmt.Sprintf("%s\x00%s\x00%q", id.User, id.Root, id.Overrides)
}

// assume makes this process what the identity says, for good. The order is Postfix's: groups, root directory, user.
func (id *identity) assume() error {
	if id.User != "" {
		if err := syscall.Setgid(id.GID); err != nil {
			return fmt.Errorf("setgid(%d): %w", id.GID, err)
		}
		if err := syscall.Setgroups(id.Groups); err != nil {
			return fmt.Errorf("initgroups: %w", err)
		}
	}
	if id.Root != "" {
		if err := syscall.Chroot(id.Root); err != nil {
			return fmt.Errorf("chroot(%s): %w", id.Root, err)
		}
	}
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("chdir(/): %w", err)
	}
	if id.User != "" {
		if err := syscall.Setuid(id.UID); err != nil {
			return fmt.Errorf("setuid(%d): %w", id.UID, err)
		}
	}
	return nil
}

// HelperName is the name under which this program starts itself in order to try tables with the rights of another user.
const HelperName = "postmap: check"

// work is what a helper is told on its standard input. It answers with a list of results.
type work struct {
	Dir      string
	Identity identity
	Jobs     []job
}

// Helper is the whole life of a helper. It returns the exit status.
func Helper(drivers []maptypes.Driver) int {
	var w work
	if err := json.NewDecoder(os.Stdin).Decode(&w); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitUnchecked
	}
	// Main.cf is read before the rights are given up, as in a worker.
	params, err := config.Load(w.Dir, w.Identity.Overrides)
	if err == nil {
		err = w.Identity.assume()
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(probeAll(newProber(params, drivers), w.Jobs))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitUnchecked
	}
	return exitClean
}

// probeAs tries tables with an identity.
func probeAs(dir string, id identity, drivers []maptypes.Driver, jobs []job) ([]result, error) {
	if id.mine() {
		params, err := config.Load(dir, id.Overrides)
		if err != nil {
			return nil, err
		}
		return probeAll(newProber(params, drivers), jobs), nil
	}
	input, err := json.Marshal(work{Dir: dir, Identity: id, Jobs: jobs})
	if err != nil {
		return nil, err
	}
	var complaint strings.Builder
	cmd := &exec.Cmd{Path: "/proc/self/exe", Args: []string{HelperName}, Stdin: strings.NewReader(string(input)), Stderr: &complaint}
	output, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("try tables as user %s: %w: %s", id.User, err, oneLine(complaint.String()))
	}
	var results []result
	if err := json.Unmarshal(output, &results); err != nil {
		return nil, fmt.Errorf("try tables as user %s: %w", id.User, err)
	}
	return results, nil
}

// atOnce is how many tables are tried at the same time.
const atOnce = 32

// probeAll tries tables, several at a time.
func probeAll(p *prober, jobs []job) []result {
	results := make([]result, len(jobs))
	slots := make(chan struct{}, atOnce)
	var running sync.WaitGroup
	for i, j := range jobs {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			results[i] = p.probe(j)
		})
	}
	running.Wait()
	shareReasons(results)
	return results
}
