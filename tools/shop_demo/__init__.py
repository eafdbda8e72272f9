"""Everything on this machine: a drawn shelf, its camera, a broker, and the real agent between them.

processes   the programs that are started, and their end
props       what they need on disk: model, products, configuration
stream      the shelf as an HTTP motion JPEG camera
ear         a subscriber: what the broker delivers
report      a message as a line; the answers against the truth
__main__    one after the other
"""
