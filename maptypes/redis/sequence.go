package redis

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"

	"github.com/proxymapd/proxymapd/maptypes"
)

// listing says how the keys of a table are told from others in the server.
type listing struct {
	possible       bool
	prefix, suffix string // around the table's key
}

// newListing finds the place of the table's key, which must be in one of the two
// formats, once, and as it is. The other one must be a fixed text.
func newListing(key, field string) listing {
	if field == "" {
		return between(key)
	}
	switch l := between(field); {
	case l.possible && isFixed(key):
		return l
	case isFixed(field):
		return between(key)
	}
	return listing{}
}

func between(format string) listing {
	prefix, suffix, ok := strings.Cut(format, "%s")
	if !ok || !isFixed(prefix) || !isFixed(suffix) {
		return listing{}
	}
	return listing{true, strings.ReplaceAll(prefix, "%%", "%"), strings.ReplaceAll(suffix, "%%", "%")}
}

func isFixed(format string) bool { return !strings.Contains(strings.ReplaceAll(format, "%%", ""), "%") }

// strip returns the table's key in a key or field of the server. A key with a NUL
// byte cannot be sent to a client.
func (l *listing) strip(name string) (key string, ok bool) {
	if strings.Contains(name, "\x00") || len(name) <= len(l.prefix)+len(l.suffix) || !strings.HasPrefix(name, l.prefix) || !strings.HasSuffix(name, l.suffix) {
		return "", false
	}
	return name[len(l.prefix) : len(name)-len(l.suffix)], true
}

var globEscaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)

// pattern is the server's pattern for the names of entries.
func (l *listing) pattern() string {
	return globEscaper.Replace(l.prefix) + "*" + globEscaper.Replace(l.suffix)
}

// scanCount is how many keys the server looks at for one batch.
const scanCount = 1000

// position is where a batch begins.
type position struct {
	node   string // of a cluster; keys are listed node by node, in the order of the addresses
	cursor uint64 // the server's
}

// batch is what the server lists at one position.
type batch struct {
	at   position
	next uint64   // 0: there is no more at this node
	keys []string // of the table, sorted
}

// Sequence returns the entries batch by batch, and those of a batch by their
// keys. The server remembers nothing of it. An entry that is there all the time
// is returned at least once (redis.io: SCAN, "Scan guarantees").
func (t *table) Sequence(ctx context.Context, r *maptypes.Request, c *maptypes.Cursor) (key, value []byte, err error) {
	if !t.list.possible {
		return nil, nil, maptypes.Configf("table %s: sequence operation needs one server or cluster, and a key_format or field_format with one %%s and nothing else that depends on the key", t.name)
	}
	m, err := t.resume(ctx, c)
	for err == nil {
		var b *batch
		if b, err = t.batch(ctx, m.at, c.Key == nil); err != nil {
			break
		}
		for _, name := range b.from(&m) {
			request := maptypes.Request{Key: []byte(name), Flags: r.Flags, Buf: r.Buf}
			if value, err = t.Lookup(ctx, &request); err == maptypes.ErrNotFound {
				continue // it has gone, or is of another kind
			}
			if err != nil {
				return nil, nil, err
			}
			r.Buf = request.Buf
			mark{m.at, b.next, name}.store(c)
			return request.Key, value, nil
		}
		m, err = t.after(ctx, b)
	}
	return nil, nil, err
}

// mark is what a cursor says: the batch that the last entry came from, what
// followed the batch then, and the key.
type mark struct {
	at   position
	next uint64
	key  string // empty before the first entry of the batch
}

func (m mark) store(c *maptypes.Cursor) {
	c.Key = append(append(c.Key[:0], m.at.node...), 0)
	c.Key = append(strconv.AppendUint(c.Key, m.next, 10), 0)
	c.Key = append(c.Key, m.key...)
	c.Pos = int64(m.at.cursor)
}

// resume reads a cursor.
func (t *table) resume(ctx context.Context, c *maptypes.Cursor) (m mark, err error) {
	if c.Key == nil {
		m.at.node, err = t.nodeAfter(ctx, "")
		return m, err
	}
	node, rest, _ := strings.Cut(string(c.Key), "\x00")
	next, key, _ := strings.Cut(rest, "\x00")
	m = mark{at: position{node, uint64(c.Pos)}, key: key}
	if m.next, err = strconv.ParseUint(next, 10, 64); err != nil {
		return m, maptypes.Configf("table %s: bad cursor", t.name)
	}
	return m, nil
}

// from returns the keys of a batch that are still to be returned. When the batch
// is not the one that the mark was made in, because the server has rearranged
// its table, that is all of them.
func (b *batch) from(m *mark) []string {
	if m.key == "" || m.next != b.next {
		return b.keys
	}
	i, found := slices.BinarySearch(b.keys, m.key)
	if found {
		i++
	}
	return b.keys[i:]
}

// after returns the mark before the first entry of the batch that follows one. It
// is ErrNotFound when there is none.
func (t *table) after(ctx context.Context, b *batch) (mark, error) {
	switch {
	case b.next != 0:
		return mark{at: position{b.at.node, b.next}}, nil
	case b.at.node == "":
		return mark{}, maptypes.ErrNotFound
	}
	node, err := t.nodeAfter(ctx, b.at.node)
	if err == nil && node == "" {
		err = maptypes.ErrNotFound
	}
	return mark{at: position{node: node}}, err
}

// nodeAfter returns the next node of a cluster whose keys are to be listed; it is
// empty after the last one, and when keys are not spread over nodes.
func (t *table) nodeAfter(ctx context.Context, node string) (next string, err error) {
	if t.listsFields() {
		return "", nil
	}
	err = t.hosts.Do(ctx, func(ctx context.Context, c *conn) error {
		nodes, err := run(ctx, c, masters)
		for _, n := range nodes {
			if address := n.Options().Addr; address > node && (next == "" || address < next) {
				next = address
			}
		}
		return t.failed(err)
	})
	return next, err
}

// listsFields reports whether the entries are the fields of one hash.
func (t *table) listsFields() bool { return t.field != nil && t.key.Fixed() }

// masters returns the nodes of a cluster that have keys; none without a cluster.
func masters(ctx context.Context, client goredis.UniversalClient) ([]*goredis.Client, error) {
	cluster, ok := client.(*goredis.ClusterClient)
	if !ok {
		return nil, nil
	}
	var mu sync.Mutex
	var nodes []*goredis.Client
	err := cluster.ForEachMaster(ctx, func(_ context.Context, node *goredis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		nodes = append(nodes, node)
		return nil
	})
	return nodes, err
}

// batch returns the keys at a position. The one of the request before is kept,
// since most requests go on in it.
func (t *table) batch(ctx context.Context, at position, anew bool) (*batch, error) {
	t.mu.Lock()
	last := t.last
	t.mu.Unlock()
	if last != nil && last.at == at && !anew {
		return last, nil
	}
	var b *batch
	err := t.hosts.Do(ctx, func(ctx context.Context, c *conn) error {
		var err error
		b, err = run(ctx, c, func(ctx context.Context, client goredis.UniversalClient) (*batch, error) {
			return t.scan(ctx, client, at)
		})
		return t.failed(err)
	})
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	t.last = b
	t.mu.Unlock()
	return b, nil
}

// scan asks the server for a batch.
func (t *table) scan(ctx context.Context, client goredis.UniversalClient, at position) (*batch, error) {
	var names []string
	var next uint64
	var err error
	switch {
	case t.listsFields():
		names, next, err = client.HScan(ctx, string(t.key.Append(nil, nil, nil, nil)), at.cursor, t.list.pattern(), scanCount).Result()
		names = fieldsOnly(names)
	default:
		var keys goredis.Cmdable
		if keys, err = atNode(ctx, client, at.node); err != nil || keys == nil {
			return &batch{at: at}, err
		}
		kind := "string"
		if t.field != nil {
			kind = "hash"
		}
		names, next, err = keys.ScanType(ctx, at.cursor, t.list.pattern(), scanCount, kind).Result()
	}
	if err != nil {
		return nil, err
	}
	b := &batch{at: at, next: next}
	for _, name := range names {
		if key, ok := t.list.strip(name); ok {
			b.keys = append(b.keys, key)
		}
	}
	slices.Sort(b.keys)
	b.keys = slices.Compact(b.keys)
	return b, nil
}

// fieldsOnly drops the values from a list of fields and values.
func fieldsOnly(pairs []string) []string {
	var names []string
	for i := 0; i+1 < len(pairs); i += 2 {
		names = append(names, pairs[i])
	}
	return names
}

// atNode returns the client of one node of a cluster, or client itself. It is nil
// when the node has left the cluster.
func atNode(ctx context.Context, client goredis.UniversalClient, node string) (goredis.Cmdable, error) {
	if node == "" {
		return client, nil
	}
	nodes, err := masters(ctx, client)
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		if n.Options().Addr == node {
			return n, nil
		}
	}
	return nil, nil
}
