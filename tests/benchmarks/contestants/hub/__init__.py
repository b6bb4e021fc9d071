"""Who takes part in the workloads of the hub: the rules of ``tests.hub``, kept in each way.

Only comments are written here. What follows from a write of a post, an author or a blog is left out
of what is written by hand.
"""
