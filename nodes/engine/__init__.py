"""The engine's node: `node` has the sockets, `core` the steps between them, `feed` what everybody may see."""
