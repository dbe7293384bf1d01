package bdb

import "github.com/proxymapd/proxymapd/maptypes"

// hashPage reads a page of a bucket. One that was never written is empty.
func (v *View) hashPage(id uint32) error {
	return v.bucketPart(&v.page, id)
}

func (v *View) bucketPart(p *page, id uint32) error {
	if err := v.read(p, id); err != nil {
		return err
	}
	switch p.kind() {
	case typeHash, typeHashUnsorted:
		if p.count()%2 != 0 {
			return damaged("page %d has a key without a value", id)
		}
		return p.checkIndex()
	case typeInvalid:
		if p.blank() {
			return nil
		}
	}
	return damaged("page %d is no page of a hash table", id)
}

// findInHash reads the page of a bucket that holds key and returns the index of
// the key, or -1 if it is on none of the pages.
func (v *View) findInHash(key []byte) (int, error) {
	var walk steps
	for id := v.m.bucketPage(v.m.bucket(key)); id != 0; id = v.page.next() {
		if err := walk.take(&v.m); err != nil {
			return -1, err
		}
		if err := v.hashPage(id); err != nil {
			return -1, err
		}
		// The keys are sorted in files of newer versions, but few enough.
		for i := 0; i < v.page.count(); i += 2 {
			it, err := v.page.hashItem(i)
			if err != nil {
				return -1, err
			}
			if same, err := v.equal(&it, key); same || err != nil {
				return i, err
			}
		}
	}
	return -1, nil
}

func (v *View) getFromHash(key, dst []byte) ([]byte, error) {
	i, err := v.findInHash(key)
	if err != nil {
		return dst, err
	}
	if i < 0 {
		return dst, maptypes.ErrNotFound
	}
	return v.hashValue(dst, i, 0)
}

// hashValue appends value n of the key at index i of the page.
func (v *View) hashValue(dst []byte, i int, n uint32) ([]byte, error) {
	it, err := v.page.hashItem(i + 1)
	if err != nil {
		return dst, err
	}
	dst, found, err := v.appendValue(dst, &it, n)
	if err == nil && !found {
		err = maptypes.ErrNotFound
	}
	return dst, err
}

// nextInHash finds the entry that follows pos: bucket by bucket, and page by
// page within one.
func (v *View) nextInHash(pos *Position, dst []byte) ([]byte, int, error) {
	if pos.Key == nil {
		if err := v.hashPage(v.m.bucketPage(0)); err != nil {
			return dst, 0, err
		}
		return v.hashFrom(pos, dst, 0, 0)
	}
	index, found, err := v.resumeHash(pos)
	if err != nil {
		return dst, 0, err
	}
	if found {
		start := len(dst)
		dst, err = v.hashValue(append(dst, pos.Key...), index, pos.Dup+1)
		if err != maptypes.ErrNotFound {
			pos.Dup++
			return dst, len(pos.Key), err
		}
		dst, index = dst[:start], index+2
	}
	return v.hashFrom(pos, dst, v.m.bucket(pos.Key), index)
}

// resumeHash reads the page on which a sequence goes on. It returns the index of
// the key, or if that was deleted, of what has moved into its place.
func (v *View) resumeHash(pos *Position) (index int, found bool, err error) {
	inPlace, err := v.pageOfBucket(pos)
	if err != nil {
		return 0, false, err
	}
	index = int(pos.Index)
	if inPlace && index < v.page.count() {
		it, err := v.page.hashItem(index)
		if err != nil {
			return 0, false, err
		}
		if same, err := v.equal(&it, pos.Key); same || err != nil {
			return index, same, err
		}
	}
	if i, err := v.findInHash(pos.Key); i >= 0 || err != nil {
		return i, err == nil, err
	}
	if inPlace {
		return index, false, v.hashPage(pos.Page)
	}
	return 0, false, v.hashPage(v.m.bucketPage(v.m.bucket(pos.Key)))
}

// pageOfBucket reads the page of the position, if it belongs to the bucket of the
// key.
func (v *View) pageOfBucket(pos *Position) (bool, error) {
	var walk steps
	for id := v.m.bucketPage(v.m.bucket(pos.Key)); id != 0; id = v.page.next() {
		if err := walk.take(&v.m); err != nil {
			return false, err
		}
		if err := v.hashPage(id); err != nil {
			return false, err
		}
		if id == pos.Page {
			return true, nil
		}
	}
	return false, nil
}

// hashFrom returns the first entry at index of the present page or behind it,
// and moves pos to it.
func (v *View) hashFrom(pos *Position, dst []byte, bucket uint32, index int) ([]byte, int, error) {
	var walk steps
	for index >= v.page.count() {
		if err := walk.take(&v.m); err != nil {
			return dst, 0, err
		}
		before, id := v.page.id, v.page.next()
		if id == 0 {
			if bucket >= v.m.maxBucket {
				return dst, 0, maptypes.ErrNotFound
			}
			bucket++
			before, id = 0, v.m.bucketPage(bucket)
		}
		if err := v.hashPage(id); err != nil {
			return dst, 0, err
		}
		if before != 0 && v.page.prev() != before { // a sequence in a ring of pages would never end
			return dst, 0, damaged("page %d does not follow page %d, which says so", id, before)
		}
		index = 0
	}
	it, err := v.page.hashItem(index)
	if err != nil {
		return dst, 0, err
	}
	start := len(dst)
	if dst, err = v.appendItem(dst, &it); err != nil {
		return dst, 0, err
	}
	size := len(dst) - start
	if v.m.bucket(dst[start:]) != bucket { // a sequence would never end
		return dst, 0, damaged("a key of page %d is in the wrong bucket", v.page.id)
	}
	if dst, err = v.hashValue(dst, index, 0); err != nil {
		return dst, 0, err
	}
	pos.set(dst[start:start+size], v.page.id, index)
	return dst, size, nil
}
