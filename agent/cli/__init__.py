"""Operator verbs: parse, call, print, exit code. The only room that prints."""
