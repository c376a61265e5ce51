"""The nodes: a folder a kind, each a thin shell around sockets and clocks, with `run(node)` in its `node.py`.

Begin with `node` (what every node is wrapped in), then engine/ or gateway/. No node imports another.
"""
