"""Head office: a product folder becomes an index that devices match against."""
