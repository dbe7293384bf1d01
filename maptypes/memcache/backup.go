package memcache

import (
	"context"

	"github.com/proxymapd/proxymapd/maptypes"
)

// backup is the table that keeps what the server may forget. It gets the keys
// without key_format and key_digest.
type backup struct{ *maptypes.Handle }

func openBackup(env *maptypes.Env, spec string, mode maptypes.Mode, flags maptypes.Flags) (*backup, error) {
	h, err := env.Open(spec, mode, flags)
	if err != nil {
		return nil, err
	}
	return &backup{h}, nil
}

// updateFlags are those of a request that an update must not lose.
const updateFlags = maptypes.FlagDupReplace | maptypes.FlagDupWarn | maptypes.FlagDupIgnore | maptypes.FlagSyncUpdate

// request is a request to the backup on behalf of r.
func (b *backup) request(r *maptypes.Request) *maptypes.Request {
	return &maptypes.Request{Key: r.Key, Value: r.Value, Flags: b.Flags()&^updateFlags | r.Flags&updateFlags, Trace: r.Trace}
}

// lookup leaves the value in r.Buf.
func (b *backup) lookup(ctx context.Context, r *maptypes.Request) ([]byte, error) {
	value, err := b.Lookup(ctx, b.request(r))
	if err != nil {
		return nil, err
	}
	r.Buf = append(r.Buf[:0], value...)
	return r.Buf, nil
}

func (b *backup) update(ctx context.Context, r *maptypes.Request) error {
	return b.Update(ctx, b.request(r))
}

func (b *backup) remove(ctx context.Context, r *maptypes.Request) error {
	return b.Delete(ctx, b.request(r))
}

func (b *backup) sequence(ctx context.Context, r *maptypes.Request, c *maptypes.Cursor) (key, value []byte, err error) {
	return b.Sequence(ctx, b.request(r), c)
}
