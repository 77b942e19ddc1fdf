"""What kvstore's plugins for engines have in common (kvstore.lmcache, kvstore.sglang).

settings.py    what an engine's configuration may say
link.py        the pool, for an engine that must go on without one
complaints.py  what is said aloud, and how often
"""
