"""kvstore for LMCache, without its Mooncake connector.

    remote.py  for LMCache inside an engine: a remote storage plugin
    chunks.py  its chunks, put and got
    arena.py   LMCache's CPU memory

They need LMCache, and are imported by it alone: `import kvstore` brings none of this.
docs/engines.md tells how to configure them.
"""
