"""One outside thing each: its types and its exceptions stop here."""
