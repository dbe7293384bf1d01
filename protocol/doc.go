// Package protocol speaks the attribute protocol of Postfix's proxymap(8):
// the NUL-terminated attribute codec, the proxymap requests and replies in
// every dialect that Postfix has used, the server's side of a connection
// ([ServerConn]) and a client ([Client]).
//
// On the wire an attribute is its name, NUL, its value, NUL; a list of
// attributes ends with an empty name, that is, with one more NUL. Integers
// are unsigned decimal text. A value cannot contain NUL.
//
// Two request forms are in use. After the attribute table, Postfix up to 3.10
// sends flags ([Dialect37]); Postfix 3.11 sends instance_flags and then, in
// every request but open, flags ([Dialect311]), and it expects one more
// attribute in the replies. The server announces the protocol when a client
// connects since Postfix 3.6; before that it said nothing.
package protocol
