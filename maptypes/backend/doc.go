// Package backend is what the map types with a server share: the list of
// servers of a table, who is asked first, what becomes of one that is down,
// connections that all tables of the process share, and the time that one
// lookup may take.
//
// A driver has one Shared for its type. A table joins its servers as Hosts,
// and asks by Hosts.Do with a function that uses one connection. What the
// function returns says what to do next:
//
//   - nil, or an error of any kind: the answer. The connection is used again. An
//     error about one query says nothing about the server.
//   - Lost(err): the connection is of no more use. The query is sent again, on a
//     new connection or to the next server.
//
// Only a failure to connect marks a server as down.
package backend
