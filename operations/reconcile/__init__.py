"""Whether the view holds what the warehouse holds: by hour, down to keys, told apart from lag."""
