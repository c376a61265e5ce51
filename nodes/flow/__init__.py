"""The flow's node: `market_flows` makes what the settings ask for, `market` keeps one engine's symbols going."""
