"""The small types of mooncake.store: enumerations, configurations and descriptions."""
