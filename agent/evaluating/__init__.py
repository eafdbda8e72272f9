"""How well a gallery recognises photos whose products are known: asked as `find` asks, then counted."""
