"""The console names: Mooncake's flags, and the programs of kvstore that they stand for."""
