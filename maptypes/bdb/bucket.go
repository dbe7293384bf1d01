package bdb

// Bucket returns the bucket of a key in a hash table of so many buckets, a power of
// two.
func Bucket(key []byte, buckets uint32) uint32 { return hash(key) & (buckets - 1) }
