"""kvstore for LMCache, without its Mooncake connector.

    remote.py  for LMCache inside an engine: a remote storage plugin
    chunks.py  its chunks, put and got
    l2.py      for `lmcache server`: an L2 adapter plugin
    locks.py   what keeps objects from eviction until they are loaded
    arena.py   LMCache's CPU memory

They need LMCache, and are imported by it alone: `import kvstore` brings none of this.
docs/engines.md tells how to configure them.
"""
