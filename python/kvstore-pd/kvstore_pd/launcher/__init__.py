"""kvstore-pd: the store, the workers and the proxy, from one file.

main       the command line and its verbs      settings   what the file says
reading    values out of YAML, with their place in it
programs   what is to run: commands, environments, files
engines    what engines are told: LMCache's and Mooncake's files, --kv-transfer-config
checks     what is looked at before the start   probe     the part of it that a worker's Python does
agreement  that several hosts make equal keys   notes     the part of it that a worker's Python does
scripts    how these two parts are run
processes  programs at work: pid files, logs, their end
starting   up                                   showing   status
"""
