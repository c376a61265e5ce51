"""The maker's node: `node` reads the venue, asks trading/, and acts; `ids` outlives a kill, `halt` stops it."""
