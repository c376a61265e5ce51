"""Both engines side by side: hand-made probes, random commands, streams with a known answer."""
