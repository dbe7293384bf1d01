// Package mongodb is the map type mongodb: (mongodb_table(5)): tables in MongoDB
// servers. It is there in a build with the tag "mongodb" only, because of the
// size of the library.
//
// Connections are shared by all tables of the process that have the same uri.
package mongodb

// Type is the name of the map type.
const Type = "mongodb"
