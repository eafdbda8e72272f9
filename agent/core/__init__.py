"""Pure rooms: facts and the decisions on them. No I/O, no clock, no thread, no print."""
