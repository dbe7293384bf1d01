package config

// ownParameters are the parameters that Postfix does not have. Their names start with proxymapd_.
var ownParameters = []Parameter{
	{
		Name:    "proxymapd_announce",
		Type:    TypeBool,
		Default: "yes",
		Doc:     "Announce the protocol name to a new client, as Postfix 3.6 and later do; clients before 3.6 need \"no\".",
	},
	{
		Name:    "proxymapd_cache",
		Type:    TypeString,
		Default: "",
		Doc:     "Tables whose answers are kept for a while: type:name ttl=60s negative_ttl=10s stale_on_error=0s max_bytes=16M, ...",
	},
	{
		Name:    "proxymapd_explain",
		Type:    TypeBool,
		Default: "yes",
		Doc:     "Tell clients that ask for it (postmap --explain) how a lookup in an approved table was answered.",
	},
	{
		Name: "proxymapd_backend_connections", Type: TypeInt, Min: 0, Default: "0",
		Doc: "How many connections one worker makes to all servers of its tables together; 0 for no limit but those of each table.",
	},
	{
		Name: "proxymapd_socketmap_timeout", Type: TypeTime, Min: 1, Default: "100s",
		Doc: "How long one lookup in a socketmap: table may take, with connecting, sending and receiving.",
	},
	{
		Name: "proxymapd_socketmap_max_idle", Type: TypeTime, Min: 1, Default: "10s",
		Doc: "When an idle connection to a socketmap server is closed.",
	},
	{
		Name: "proxymapd_socketmap_max_ttl", Type: TypeTime, Min: 1, Default: "100s",
		Doc: "When a connection to a socketmap server is closed that is not idle.",
	},
	{
		Name: "proxymapd_socketmap_max_connections", Type: TypeInt, Min: 1, Default: "100",
		Doc: "How many connections one worker makes to one socketmap server.",
	},
	{
		Name: "proxymapd_tcp_timeout", Type: TypeTime, Min: 1, Default: "100s",
		Doc: "How long one lookup in a tcp: table may take, with connecting, sending and receiving.",
	},
	{
		Name: "proxymapd_tcp_max_idle", Type: TypeTime, Min: 1, Default: "100s",
		Doc: "When an idle connection to a tcp server is closed.",
	},
	{
		Name: "proxymapd_tcp_max_ttl", Type: TypeTime, Min: 1, Default: "1000s",
		Doc: "When a connection to a tcp server is closed that is not idle.",
	},
	{
		Name: "proxymapd_tcp_max_connections", Type: TypeInt, Min: 1, Default: "100",
		Doc: "How many connections one worker makes to one tcp server.",
	},
}
