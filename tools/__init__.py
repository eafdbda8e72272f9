"""Scripts that people run. They import `agent`; `agent` never imports them."""
