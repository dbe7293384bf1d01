package redis

import (
	"bytes"
	"context"
	"errors"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
	"github.com/proxymapd/proxymapd/maptypes/indexed"
	"github.com/proxymapd/proxymapd/maptypes/query"
)

// Update stores an entry. It is acknowledged when the server has, and as many
// replicas as the table asks for.
func (t *table) Update(ctx context.Context, r *maptypes.Request) error {
	p, err := t.target(ctx, r.Key)
	if err != nil {
		return err
	}
	if len(r.Value) == 0 {
		return maptypes.Configf("%s: update of \"%s\" with an empty value", t.name, r.Key)
	}
	replace := r.Flags&maptypes.FlagDupReplace != 0
	stored, err := t.change(ctx, func(ctx context.Context, client goredis.UniversalClient, again bool) (bool, error) {
		return t.store(ctx, client, p, r.Value, replace, again)
	})
	if err == nil && !stored {
		return indexed.Duplicate(t.env, t.name, r.Flags, r.Key)
	}
	return err
}

// Delete removes an entry.
func (t *table) Delete(ctx context.Context, r *maptypes.Request) error {
	p, err := t.target(ctx, r.Key)
	if err != nil {
		return err
	}
	deleted, err := t.change(ctx, func(ctx context.Context, client goredis.UniversalClient, again bool) (bool, error) {
		n, err := t.remove(ctx, client, p)
		// The first attempt may have done it, and its reply is lost.
		return n > 0 || again, err
	})
	if err == nil && !deleted {
		return maptypes.ErrNotFound
	}
	return err
}

// target returns where a key's entry is. A key that is never looked up cannot be
// stored.
func (t *table) target(ctx context.Context, key []byte) (place, error) {
	var parts query.Parts
	if err := t.source.Key(ctx, &parts, key); err == maptypes.ErrNotFound {
		return place{}, maptypes.Configf("%s: no entry can have the key \"%s\"", t.name, key)
	} else if err != nil {
		return place{}, err
	}
	return t.place(&parts), nil
}

// store stores a value, and reports whether it did: a value that was there stays
// unless it is to be replaced.
func (t *table) store(ctx context.Context, client goredis.UniversalClient, p place, value []byte, replace, again bool) (stored bool, err error) {
	switch {
	case replace && t.field != nil:
		return true, client.HSet(ctx, p.key, p.field, value).Err()
	case replace:
		return true, client.Set(ctx, p.key, value, t.ttl).Err()
	case t.field != nil:
		stored, err = client.HSetNX(ctx, p.key, p.field, value).Result()
	default:
		err = client.SetArgs(ctx, p.key, value, goredis.SetArgs{Mode: "NX", TTL: t.ttl}).Err()
		if stored = err == nil; errors.Is(err, goredis.Nil) {
			err = nil
		}
	}
	if err != nil || stored || !again {
		return stored, err
	}
	// The value that is there may be the one of the first attempt.
	there, err := t.get(ctx, client, p)
	return bytes.Equal(there, value), err
}

func (t *table) get(ctx context.Context, client goredis.UniversalClient, p place) (value []byte, err error) {
	if t.field != nil {
		value, err = client.HGet(ctx, p.key, p.field).Bytes()
	} else {
		value, err = client.Get(ctx, p.key).Bytes()
	}
	if errors.Is(err, goredis.Nil) {
		err = nil
	}
	return value, err
}

func (t *table) remove(ctx context.Context, client goredis.UniversalClient, p place) (int64, error) {
	if t.field != nil {
		return client.HDel(ctx, p.key, p.field).Result()
	}
	return client.Del(ctx, p.key).Result()
}

// change has f change something, and waits for the replicas. When a connection is
// lost f is called again, and told so: its change may have been made.
func (t *table) change(ctx context.Context, f func(ctx context.Context, client goredis.UniversalClient, again bool) (bool, error)) (done bool, err error) {
	again := false
	err = t.hosts.Do(ctx, func(ctx context.Context, c *conn) error {
		var err error
		repeated := again
		again = true
		done, err = run(ctx, c, func(ctx context.Context, client goredis.UniversalClient) (bool, error) {
			return f(ctx, client, repeated)
		})
		if err != nil {
			return t.failed(err)
		}
		return t.confirm(ctx, c)
	})
	return done, err
}

// confirm waits until the replicas have all that was written on the connection.
func (t *table) confirm(ctx context.Context, c *conn) error {
	if t.replicas == 0 {
		return nil
	}
	patience := time.Second
	if deadline, ok := ctx.Deadline(); ok {
		patience = max(time.Until(deadline)*3/4, time.Millisecond)
	}
	n, err := run(ctx, c, func(ctx context.Context, client goredis.UniversalClient) (int64, error) {
		cmd := goredis.NewIntCmd(ctx, "WAIT", t.replicas, patience.Milliseconds())
		_ = client.Process(ctx, cmd) // the error is in cmd
		return cmd.Result()
	})
	switch {
	case backend.IsLost(err):
		return err
	case err != nil:
		return t.failed(err)
	case n < int64(t.replicas):
		return maptypes.Retryf("%s: update failed: %d of %d replicas have it (wait_replicas)", t.name, n, t.replicas)
	}
	return nil
}
