package config

// ownParameters are the parameters that Postfix does not have. Their names start with proxymapd_.
var ownParameters = []Parameter{
	{
		Name:    "proxymapd_announce",
		Type:    TypeBool,
		Default: "yes",
		Doc:     "Announce the protocol name to a new client, as Postfix 3.6 and later do; clients before 3.6 need \"no\".",
	},
}
