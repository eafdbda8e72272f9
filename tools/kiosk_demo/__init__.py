"""A kiosk on this machine: a drawn hand before a drawn camera, the real agent, and its page in a browser."""
