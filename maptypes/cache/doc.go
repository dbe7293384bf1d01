// Package cache keeps answers of tables for a while, for tables that are slow to
// ask. A cache stands between the layers that every table gets (maptypes.Handle)
// and the driver, in front of tables that are opened for reading only.
//
// What is kept: values, and "not found". Of several requests for a key that is not
// there one asks the table, and the others wait for its answer. Errors are not
// kept. An answer is dropped when the table is opened anew because its file has
// changed, and when maptypes.State says that it may have changed.
package cache
