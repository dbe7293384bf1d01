// Package stream is a connection to a server of a simple protocol, in which the
// client sends one request and the server one reply: what the map types
// memcache, socketmap and tcp have in common below their protocols.
package stream
